// Package address hands out the addresses that Services have: cluster IPs and node ports.
//
// Which cluster IPs are taken is recorded in IPAddress objects, which node ports in one RangeAllocation: both in etcd, so
// that several servers never hand out the same. Addresses are taken before the Service is written and given back if that
// fails. What a crash between the two leaves behind, a repair finds: of IPAddresses through the API, of ports by Repair.
package address

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Config says what can be handed out.
type Config struct {
	// ServiceCIDRs are the cluster's own, at most one of each family; the first is of the default family. Those of
	// ServiceCIDR objects add to them. At least one is required.
	ServiceCIDRs []netip.Prefix
	// NodePorts are handed out.
	NodePorts PortRange
	// IPs records who has which address.
	IPs IPs
	// Ports records which ports are taken. Nil: in memory only, for tests.
	Ports Record
}

// Allocator hands out cluster IPs and node ports. It is safe for concurrent use.
type Allocator struct {
	config   Config
	families []corev1.IPFamily

	repairing sync.Mutex
	unused    map[int32]bool // ports that no Service had when last repaired
}

// New returns an allocator. It does nothing until it is asked.
func New(c Config) (*Allocator, error) {
	if len(c.ServiceCIDRs) == 0 || len(c.ServiceCIDRs) > 2 {
		return nil, fmt.Errorf("%d service CIDRs: one, or one of each IP family, is required", len(c.ServiceCIDRs))
	}
	if c.NodePorts.Size <= 0 || c.NodePorts.First <= 0 || c.NodePorts.First+c.NodePorts.Size > 1<<16 {
		return nil, fmt.Errorf("node ports %s are no range of ports", c.NodePorts)
	}
	a := &Allocator{config: c}
	for _, cidr := range c.ServiceCIDRs {
		family := familyOf(cidr.Addr())
		if slices.Contains(a.families, family) {
			return nil, fmt.Errorf("two service CIDRs of family %s", family)
		}
		a.families = append(a.families, family)
	}
	if c.Ports == nil {
		a.config.Ports = &memory{}
	}
	return a, nil
}

// Families of addresses that Services can have, the default first.
func (a *Allocator) Families() []corev1.IPFamily { return a.families }

// Finish ends what Create or Update began: if the Service was written, what it no longer needs is given back, otherwise
// what was taken for it.
type Finish = func(ctx context.Context, success bool)

// Create fills in the addresses of a new Service. Errors are those of the API.
func (a *Allocator) Create(ctx context.Context, s *corev1.Service, dryRun bool) (Finish, error) {
	return a.begin(ctx, s, nil, dryRun)
}

// Update takes the addresses that the changed Service needs besides those that it has.
func (a *Allocator) Update(ctx context.Context, s, old *corev1.Service, dryRun bool) (Finish, error) {
	return a.begin(ctx, s, old, dryRun)
}

func (a *Allocator) begin(ctx context.Context, s, old *corev1.Service, dryRun bool) (Finish, error) {
	if errs := core.ChooseFamilies(s, old, a.families); len(errs) > 0 {
		return nil, invalid(s, errs)
	}
	ips, err := a.takeIPs(ctx, s, old, dryRun)
	if err != nil {
		return nil, err
	}
	ports, err := a.takePorts(ctx, s, old, dryRun)
	if err != nil {
		a.freeIPs(ctx, ips)
		return nil, err
	}
	if dryRun {
		return nil, nil
	}
	var unusedIPs []netip.Addr
	var unusedPorts []int32
	if old != nil {
		unusedIPs, unusedPorts = releasedIPs(s, old), releasedPorts(s, old)
	}
	return func(ctx context.Context, success bool) {
		if success {
			ips, ports = unusedIPs, unusedPorts
		}
		a.freeIPs(ctx, ips)
		a.freePorts(ctx, ports)
	}, nil
}

// Release gives back all that a deleted Service had.
func (a *Allocator) Release(ctx context.Context, s *corev1.Service) {
	a.freeIPs(ctx, addressesOf(s))
	a.freePorts(ctx, portsOf(s))
}

func invalid(s *corev1.Service, errs field.ErrorList) error {
	return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Service").GroupKind(), s.Name, errs)
}

// takeIPs takes what spec.clusterIPs ask for, or any address for each family without one.
func (a *Allocator) takeIPs(ctx context.Context, s, old *corev1.Service, dryRun bool) (taken []netip.Addr, err error) {
	has := 0
	if old != nil {
		has = len(addressesOf(old))
	}
	if headless(s) || s.Spec.Type == corev1.ServiceTypeExternalName || old != nil && headless(old) {
		return nil, nil
	}
	ips := slices.Clone(s.Spec.ClusterIPs)
	for i := has; i < len(s.Spec.IPFamilies); i++ {
		if i >= len(ips) {
			ips = append(ips, "")
		}
		ip, err := a.takeIP(ctx, s, s.Spec.IPFamilies[i], ips[i], dryRun)
		if err != nil {
			a.freeIPs(ctx, taken)
			return nil, err
		}
		if ips[i] = ip.String(); !dryRun {
			taken = append(taken, ip)
		}
	}
	if s.Spec.ClusterIPs = ips; len(ips) > 0 {
		s.Spec.ClusterIP = ips[0]
	}
	return taken, nil
}

func (a *Allocator) takeIP(ctx context.Context, s *corev1.Service, family corev1.IPFamily, wanted string, dryRun bool) (netip.Addr, error) {
	refuse := func(message string) error {
		return invalid(s, field.ErrorList{field.Invalid(field.NewPath("spec", "clusterIPs"), s.Spec.ClusterIPs, message)})
	}
	ranges := a.rangesOf(family)
	if wanted == "" {
		ip, err := a.any(ctx, s, ranges, dryRun)
		switch {
		case errors.Is(err, errFull):
			return ip, apierrors.NewInternalError(fmt.Errorf("failed to allocate a serviceIP for Service %q: %w", s.Name, err))
		case err != nil:
			return ip, refuse(fmt.Sprintf("failed to allocate IP: %v", err))
		}
		return ip, nil
	}
	ip, err := netip.ParseAddr(wanted)
	if err != nil {
		return ip, apierrors.NewInternalError(fmt.Errorf("failed to parse service IP %q", wanted))
	}
	if err := a.this(ctx, s, ip, ranges, dryRun); err != nil {
		return ip, refuse(fmt.Sprintf("failed to allocate IP %v: %v", wanted, err))
	}
	return ip, nil
}

// rangesOf are the CIDRs of a family, the cluster's own first.
func (a *Allocator) rangesOf(family corev1.IPFamily) (all []ipRange) {
	for _, cidr := range append(slices.Clone(a.config.ServiceCIDRs), a.config.IPs.CIDRs()...) {
		if familyOf(cidr.Addr()) == family {
			all = append(all, rangeOf(cidr))
		}
	}
	return all
}

func (a *Allocator) freeIPs(ctx context.Context, ips []netip.Addr) {
	for _, ip := range ips {
		a.config.IPs.Free(ctx, ip)
	}
}

func headless(s *corev1.Service) bool {
	return len(s.Spec.ClusterIPs) > 0 && s.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

// addressesOf are the addresses that the Service has taken.
func addressesOf(s *corev1.Service) (all []netip.Addr) {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	for _, text := range s.Spec.ClusterIPs {
		if ip, err := netip.ParseAddr(text); err == nil { // not None
			all = append(all, ip)
		}
	}
	return all
}

func releasedIPs(s, old *corev1.Service) []netip.Addr {
	keeps := addressesOf(s)
	if s.Spec.Type != corev1.ServiceTypeExternalName && len(s.Spec.IPFamilies) < len(keeps) {
		keeps = keeps[:len(s.Spec.IPFamilies)]
	}
	return slices.DeleteFunc(addressesOf(old), func(ip netip.Addr) bool { return slices.Contains(keeps, ip) })
}

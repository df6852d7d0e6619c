package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

const (
	// identityLabel marks the Leases of API servers.
	identityLabel, identity = "apiserver.kubernetes.io/identity", "kube-apiserver"

	renewEvery  = 10 * time.Second
	leaseTime   = 3 * renewEvery
	leaveWithin = 2 * time.Second
)

// Publish makes Service kubernetes lead to this server, also when somebody changes that, until ctx ends. Call it when the server is
// ready. A loopback address, which the API refuses as an endpoint, is not published. Servers that share a storage renew a Lease
// each, and make the Service lead to all whose Lease has not expired.
func (b *Bootstrap) Publish(ctx context.Context) error {
	c := b.config
	if c.Address.IsLoopback() {
		klog.FromContext(ctx).Info("Service kubernetes leads nowhere: this server advertises a loopback address, which means another machine to each client")
		return nil
	}
	if !c.Shared {
		const doing = "publishing the address of the API server"
		self := func(ctx context.Context) error { return lead(ctx, c, []netip.Addr{c.Address}) }
		if err := retry(ctx, doing, self); err != nil {
			return err
		}
		return b.follow(ctx, doing, endpoints(c), self)
	}
	renewal := time.NewTicker(renewEvery)
	defer renewal.Stop()
	for {
		if err := b.meet(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Renewing the API server's Lease")
		}
		select {
		case <-renewal.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), b.leave(ctx))
		}
	}
}

// meet renews this server's Lease and makes the Service lead to the servers that there are.
func (b *Bootstrap) meet(ctx context.Context) error {
	c := b.config
	spec := coordinationv1.LeaseSpec{
		HolderIdentity: ptr.To(c.Address.String()), LeaseDurationSeconds: ptr.To(int32(leaseTime.Seconds())), RenewTime: ptr.To(metav1.NowMicro()),
	}
	own := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName(c), Namespace: metav1.NamespaceSystem, Labels: map[string]string{identityLabel: identity}},
		Spec:       spec,
	}
	leases := c.Client.CoordinationV1().Leases(metav1.NamespaceSystem)
	err := keep(ctx, leases, own, func(stored *coordinationv1.Lease) bool {
		stored.Spec = spec
		return true
	})
	if err != nil {
		return err
	}
	all, err := leases.List(ctx, metav1.ListOptions{LabelSelector: identityLabel + "=" + identity})
	if err != nil {
		return fmt.Errorf("listing the Leases of API servers: %w", err)
	}
	return lead(ctx, c, b.peers.alive(all.Items, time.Now()))
}

// peers remembers when this server has seen the Leases of others change: what their clocks say does not count here.
type peers struct{ seen map[string]renewal }

type renewal struct {
	said metav1.MicroTime // by the other's clock
	at   time.Time        // by ours
}

// alive are the addresses of the servers whose Leases have been renewed in time, in order. One that is seen for the first time has.
func (p *peers) alive(leases []coordinationv1.Lease, now time.Time) []netip.Addr {
	var addresses []netip.Addr
	seen := map[string]renewal{}
	for _, l := range leases {
		if l.Spec.HolderIdentity == nil || l.Spec.RenewTime == nil || l.Spec.LeaseDurationSeconds == nil {
			continue
		}
		last, known := p.seen[l.Name]
		if !known || !last.said.Equal(l.Spec.RenewTime) {
			last = renewal{*l.Spec.RenewTime, now}
		}
		seen[l.Name] = last
		expiry := last.at.Add(time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second)
		if a, err := netip.ParseAddr(*l.Spec.HolderIdentity); err == nil && now.Before(expiry) {
			addresses = append(addresses, a)
		}
	}
	p.seen = seen
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses)
}

// leave takes this server out, as far as a stopping server can.
func (b *Bootstrap) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	c := b.config
	leases := c.Client.CoordinationV1().Leases(metav1.NamespaceSystem)
	if err := leases.Delete(ctx, leaseName(c), metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting the API server's Lease: %w", err)
	}
	others, err := leases.List(ctx, metav1.ListOptions{LabelSelector: identityLabel + "=" + identity})
	if err != nil {
		return fmt.Errorf("listing the Leases of API servers: %w", err)
	}
	if addresses := b.peers.alive(others.Items, time.Now()); len(addresses) > 0 {
		return lead(ctx, c, addresses)
	}
	return nil
}

func leaseName(c Config) string { return fmt.Sprintf("apiserver-%x", c.Address.AsSlice()) }

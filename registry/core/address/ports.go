package address

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
)

// PortRange is Size ports beginning with First.
type PortRange struct{ First, Size int32 }

// String is the range as flags and upstream's records have it: 30000-32767.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.First+r.Size-1) }

var errPortTaken = errors.New("provided port is already allocated")

// takePorts takes the node ports that the Service needs and old has not, and the port of its health check.
func (a *Allocator) takePorts(ctx context.Context, s, old *corev1.Service, dryRun bool) ([]int32, error) {
	checks := core.NeedsHealthCheckNodePort(s) && (old == nil || !core.NeedsHealthCheckNodePort(old))
	if !checks && s.Spec.Type != corev1.ServiceTypeNodePort && s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil, nil
	}
	if old != nil && !checks && nothingToTake(s, old) {
		return nil, nil
	}
	var p portPlan
	err := a.change(ctx, dryRun, func(b *bitmap) error {
		p = portPlan{service: s, free: b, ports: slices.Clone(s.Spec.Ports), healthCheck: s.Spec.HealthCheckNodePort}
		return p.fill(old, checks)
	})
	if err != nil {
		return nil, err
	}
	if s.Spec.Ports, s.Spec.HealthCheckNodePort = p.ports, p.healthCheck; dryRun {
		return nil, nil
	}
	return p.taken, nil
}

// nothingToTake reports whether the Service has all that it needs already.
func nothingToTake(s, old *corev1.Service) bool {
	had := core.NodePorts(old)
	return !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.NodePort == 0 && core.HasNodePorts(s) || p.NodePort != 0 && !slices.Contains(had, p.NodePort)
	})
}

// A portPlan is the ports of a Service with node ports filled in, and what was taken for that.
type portPlan struct {
	service     *corev1.Service
	free        *bitmap
	ports       []corev1.ServicePort
	healthCheck int32
	taken       []int32
}

func (p *portPlan) fill(old *corev1.Service, checks bool) error {
	var err error
	if p.service.Spec.Type == corev1.ServiceTypeNodePort || p.service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		if old == nil {
			err = p.fillNew()
		} else {
			err = p.fillChanged(core.NodePorts(old))
		}
	}
	if err != nil || !checks {
		return err
	}
	if p.healthCheck != 0 {
		if err := p.take(p.healthCheck); err != nil {
			return apierrors.NewInternalError(fmt.Errorf("failed to allocate requested HealthCheck NodePort %v: %v", p.healthCheck, err))
		}
		return nil
	}
	p.healthCheck, err = p.takeAny()
	return err
}

// fillNew gives ports of the same number, of TCP and UDP say, the same node port.
func (p *portPlan) fillNew() error {
	nodePorts := map[int32]int32{}
	for i := range p.ports {
		port := &p.ports[i]
		if port.NodePort == 0 && !core.HasNodePorts(p.service) {
			continue
		}
		have, ok := nodePorts[port.Port]
		switch {
		case ok && port.NodePort == 0:
			port.NodePort = have
			continue
		case ok && port.NodePort == have:
			continue
		case !ok && port.NodePort == 0:
			port.NodePort = p.wantedFor(port.Port)
		}
		if port.NodePort == 0 {
			any, err := p.takeAny()
			if err != nil {
				return err
			}
			port.NodePort = any
		} else if err := p.take(port.NodePort); err != nil {
			return p.refuse(i, err)
		}
		if !ok {
			nodePorts[port.Port] = port.NodePort
		}
	}
	return nil
}

// wantedFor is the node port that the client wants for a port of the number.
func (p *portPlan) wantedFor(number int32) int32 {
	for _, port := range p.ports {
		if port.Port == number && port.NodePort != 0 {
			return port.NodePort
		}
	}
	return 0
}

func (p *portPlan) fillChanged(had []int32) error {
	type pair struct {
		protocol corev1.Protocol
		port     int32
	}
	seen := map[pair]bool{}
	for i := range p.ports {
		port := &p.ports[i]
		switch {
		case port.NodePort == 0 && !core.HasNodePorts(p.service):
			continue
		case port.NodePort == 0:
			any, err := p.takeAny()
			if err != nil {
				return err
			}
			port.NodePort = any
		case !slices.Contains(had, port.NodePort) && !slices.Contains(p.taken, port.NodePort):
			if err := p.take(port.NodePort); err != nil {
				return p.refuse(i, err)
			}
		}
		key := pair{port.Protocol, port.NodePort}
		if seen[key] {
			return fmt.Errorf("duplicate nodePort: {%s %d}", port.Protocol, port.NodePort)
		}
		seen[key] = true
	}
	return nil
}

func (p *portPlan) refuse(i int, err error) error {
	at := field.NewPath("spec", "ports").Index(i).Child("nodePort")
	return invalid(p.service, field.ErrorList{field.Invalid(at, p.ports[i].NodePort, err.Error())})
}

func (p *portPlan) take(port int32) error {
	if !p.free.contains(port) {
		return fmt.Errorf("provided port is not in the valid range. The range of valid ports is %s", p.free.within)
	}
	if p.free.taken(port) {
		return errPortTaken
	}
	p.free.set(port, true)
	p.taken = append(p.taken, port)
	return nil
}

// takeAny takes a free port, from the lower part of the range, where people choose theirs, only if no other is left.
func (p *portPlan) takeAny() (int32, error) {
	r := p.free.within
	reserved := int32(reservedOf(uint64(r.Size), 16, 128, 32))
	for _, part := range [][2]int32{{reserved, r.Size}, {0, reserved}} {
		n := part[1] - part[0]
		if n <= 0 {
			continue
		}
		start := rand.Int32N(n)
		for i := range n {
			if port := r.First + part[0] + (start+i)%n; p.take(port) == nil {
				return port, nil
			}
		}
	}
	return 0, apierrors.NewInternalError(fmt.Errorf("failed to allocate a nodePort: %w", errFull))
}

// portsOf are all node ports that the Service has taken.
func portsOf(s *corev1.Service) []int32 {
	all := core.NodePorts(s)
	if core.NeedsHealthCheckNodePort(s) && s.Spec.HealthCheckNodePort != 0 {
		all = append(all, s.Spec.HealthCheckNodePort)
	}
	return all
}

func releasedPorts(s, old *corev1.Service) []int32 {
	var keeps []int32
	if s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		keeps = portsOf(s)
	}
	return slices.DeleteFunc(portsOf(old), func(port int32) bool { return slices.Contains(keeps, port) })
}

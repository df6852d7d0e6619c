package address

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// repairInterval is how often Run repairs; retryInterval is how soon after it failed.
const repairInterval, retryInterval = 10 * time.Minute, 10 * time.Second

// Run repairs at once and then from time to time until the context ends. What fails is tried again soon, and reported.
func (a *Allocator) Run(ctx context.Context, services func(context.Context) ([]*corev1.Service, error), report func(error)) {
	for ctx.Err() == nil {
		next := repairInterval
		all, err := services(ctx)
		if err == nil {
			err = a.Repair(ctx, all)
		}
		if err != nil && ctx.Err() == nil {
			next = retryInterval
			report(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(next):
		}
	}
}

// Repair makes the record of ports agree with the Services that there are. Ports of Services are taken; ports that no
// Service has are given back when two repairs in a row find them so: they may have been taken for one about to be written.
func (a *Allocator) Repair(ctx context.Context, services []*corev1.Service) error {
	a.repairing.Lock()
	defer a.repairing.Unlock()
	used := map[int32]bool{}
	for _, s := range services {
		for _, port := range portsOf(s) {
			used[port] = true
		}
	}
	var unused map[int32]bool
	err := a.change(ctx, false, func(b *bitmap) error {
		unused = map[int32]bool{}
		for port := a.config.NodePorts.First; port < a.config.NodePorts.First+a.config.NodePorts.Size; port++ {
			switch {
			case used[port]:
				b.set(port, true)
			case b.taken(port) && a.unused[port]:
				b.set(port, false)
			case b.taken(port):
				unused[port] = true
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("repairing the record of node ports: %w", err)
	}
	a.unused = unused
	return nil
}

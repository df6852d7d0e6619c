// Package bootstrap makes the objects that every cluster has from its first start, and brings old ones up to date.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/registry/authz/policy"
)

// Config says what the objects say.
type Config struct {
	// Client acts as a member of system:masters.
	Client kubernetes.Interface
	// ServiceCIDR is where Services have their addresses. The first one is that of Service kubernetes, which leads to Port
	// at Address.
	ServiceCIDR netip.Prefix
	Address     netip.Addr
	Port        int
	// Shared says that other servers may use the same storage, and that Service kubernetes leads to them too.
	Shared bool
	// Trust is what aggregated API servers are told about who may name users.
	Trust Trust
}

// Step makes some of the objects. It is idempotent.
type Step struct {
	// Name is that of upstream's hook, which /readyz reports.
	Name   string
	ensure func(context.Context, Config) error
	needs  string // the step that comes before, if any
}

const namespacesStep = "start-system-namespaces-controller"

// steps are independent but for those that need another.
func steps() []Step {
	return []Step{
		{Name: namespacesStep, ensure: ensureNamespaces},
		{Name: "rbac/bootstrap-roles", ensure: ensurePolicy, needs: namespacesStep},
		{Name: "priority-and-fairness-config-producer", ensure: ensureFlowControl},
		{Name: "scheduling/bootstrap-system-priority-classes", ensure: ensurePriorityClasses},
		{Name: "start-cluster-authentication-info-controller", ensure: ensureTrust, needs: namespacesStep},
		{Name: "bootstrap-controller", ensure: ensureService, needs: namespacesStep},
		{Name: "start-kubernetes-service-cidr-controller", ensure: ensureServiceCIDR},
	}
}

// Bootstrap runs the steps, each once.
type Bootstrap struct {
	config Config
	done   map[string]chan struct{}
	once   map[string]*sync.Once
}

// New starts nothing.
func New(c Config) *Bootstrap {
	b := &Bootstrap{config: c, done: map[string]chan struct{}{}, once: map[string]*sync.Once{}}
	for _, s := range steps() {
		b.done[s.Name], b.once[s.Name] = make(chan struct{}), &sync.Once{}
	}
	return b
}

// Steps are to be run concurrently, by Run.
func (b *Bootstrap) Steps() []Step { return steps() }

// Run carries out a step, after what it needs, and tries until it succeeds or ctx ends.
func (b *Bootstrap) Run(ctx context.Context, s Step) error {
	if s.needs != "" {
		select {
		case <-b.done[s.needs]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := retry(ctx, s.Name, func(ctx context.Context) error { return s.ensure(ctx, b.config) })
	if err == nil {
		b.once[s.Name].Do(func() { close(b.done[s.Name]) })
	}
	return err
}

// loud is how many attempts may fail before failures are logged: on a fresh start the first ones often do.
const loud = 5

func retry(ctx context.Context, what string, do func(context.Context) error) error {
	backoff := wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Steps: 12, Cap: 10 * time.Second}
	for attempt := 1; ; attempt++ {
		err := do(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if attempt > loud {
			klog.FromContext(ctx).Error(err, "Making the objects that every cluster has", "step", what, "attempt", attempt)
		}
		select {
		case <-time.After(backoff.Step()):
		case <-ctx.Done():
		}
	}
}

func ensurePolicy(ctx context.Context, c Config) error {
	if err := policy.Ensure(ctx, c.Client); err != nil {
		return fmt.Errorf("bringing RBAC policy up to date: %w", err)
	}
	return nil
}

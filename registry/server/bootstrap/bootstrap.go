// Package bootstrap makes the objects that every cluster has, brings old ones up to date, and makes them again when somebody deletes
// or changes them.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/registry/authz/policy"
	"github.com/coracle-k8s/coracle/registry/notice"
)

// Config says what the objects say.
type Config struct {
	// Client acts as a member of system:masters, whom no webhook and no policy of users can refuse.
	Client kubernetes.Interface
	// Informers tell of changes.
	Informers informers.SharedInformerFactory
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
	// concerns are whose changes make it to be carried out again.
	concerns func(Config) []concern
	needs    string // the step that comes before, if any
}

const namespacesStep = "start-system-namespaces-controller"

// steps are independent but for those that need another.
func steps() []Step {
	return []Step{
		{Name: namespacesStep, ensure: ensureNamespaces, concerns: namespaces},
		{Name: "rbac/bootstrap-roles", ensure: ensurePolicy, concerns: rolesAndBindings, needs: namespacesStep},
		{Name: "priority-and-fairness-config-producer", ensure: ensureFlowControl, concerns: flowControl},
		{Name: "scheduling/bootstrap-system-priority-classes", ensure: ensurePriorityClasses, concerns: priorityClasses},
		{Name: "start-cluster-authentication-info-controller", ensure: ensureTrust, concerns: trust, needs: namespacesStep},
		{Name: "bootstrap-controller", ensure: ensureService, concerns: apiService, needs: namespacesStep},
		{Name: "start-kubernetes-service-cidr-controller", ensure: ensureServiceCIDR, concerns: serviceCIDR},
	}
}

// Bootstrap runs the steps.
type Bootstrap struct {
	config Config
	peers  peers
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

// Steps are to be run concurrently, by Bootstrap.Run.
func Steps() []Step { return steps() }

// Run carries out a step, after what it needs, and tries until it succeeds, or is in the way of something that only users can
// change, or ctx ends.
func (b *Bootstrap) Run(ctx context.Context, s Step) error {
	if s.needs != "" {
		select {
		case <-b.done[s.needs]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := retry(ctx, s.Name, func(ctx context.Context) error {
		err := s.ensure(ctx, b.config)
		return b.told(ctx, err)
	})
	if err == nil {
		b.once[s.Name].Do(func() { close(b.done[s.Name]) })
	}
	return err
}

// inTheWay is what a user has made in a place where the cluster has something of its own. The server works on without.
type inTheWay struct {
	what    corev1.ObjectReference
	message string
}

// Error implements error.
func (w *inTheWay) Error() string { return w.message }

// told records what is in the way where users see it, and returns all other errors.
func (b *Bootstrap) told(ctx context.Context, err error) error {
	var obstacle *inTheWay
	if !errors.As(err, &obstacle) {
		return err
	}
	klog.FromContext(ctx).Error(nil, "Something is in the way of an object that every cluster has", "object", obstacle.what.Namespace+"/"+obstacle.what.Name, "problem", obstacle.message)
	return notice.Warn(ctx, b.config.Client, obstacle.what, "InTheWay", obstacle.message)
}

// loud is how many attempts may fail before failures are logged: on a fresh start the first ones often do.
const loud = 5

// longestPause leaves time to be back within 10 s of what kept something from being made.
const longestPause = 5 * time.Second

func retry(ctx context.Context, what string, do func(context.Context) error) error {
	backoff := wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Steps: 12, Cap: longestPause}
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

// Package scheduler gives every pod a node.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Config is what a scheduler works with.
type Config struct {
	// Informers see all pods and nodes. Run starts those that nobody has started.
	Informers informers.SharedInformerFactory
	Client    kubernetes.Interface
	Events    events.EventRecorder
	// Name is the schedulerName of the pods to schedule; empty means default-scheduler.
	Name string
}

// Scheduler binds pods to nodes, one after the other, the most important first.
type Scheduler struct {
	name      string
	client    kubernetes.Interface
	events    events.EventRecorder
	informers informers.SharedInformerFactory
	plugins   []framework.Weighted

	cache     *snapshot.Cache
	queue     *queue.Queue
	nominated *queue.Nominator
	preemptor *preemptor
	metrics   *metrics
	feeds     []feed
	synced    []cache.DoneChecker
	bindings  sync.WaitGroup
	// nextStart is where the search for nodes begins next, so that all get their turn.
	nextStart int
}

// New returns a scheduler that is fed by the given informers. It starts nothing.
func New(cfg Config) (*Scheduler, error) {
	s := &Scheduler{
		name:      cfg.Name,
		client:    cfg.Client,
		events:    cfg.Events,
		informers: cfg.Informers,
		plugins:   defaultPlugins(cfg.Informers, cfg.Client),
		cache:     snapshot.NewCache(),
		nominated: queue.NewNominator(),
		metrics:   newMetrics(),
	}
	if s.name == "" {
		s.name = corev1.DefaultSchedulerName
	}
	interests := make(map[string][]framework.Interest, len(s.plugins))
	for _, plugin := range s.plugins {
		interests[plugin.Name()] = plugin.Interests()
	}
	s.queue = queue.New(interests)
	s.preemptor = newPreemptor(s)
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("listening to informers: %w", err)
	}
	return s, nil
}

// Run schedules pods until the context ends, and returns when every binding
// that it began has ended too. It runs once.
func (s *Scheduler) Run(ctx context.Context) error {
	defer s.unlisten()
	s.informers.Start(ctx.Done())
	defer s.bindings.Wait()
	defer s.queue.Close()
	if !cache.WaitFor(ctx, "", s.synced...) {
		return context.Cause(ctx)
	}
	for {
		item := s.queue.Pop(ctx)
		if item == nil {
			return nil
		}
		s.attempt(ctx, item)
	}
}

var errPanic = errors.New("panic")

// attempt tries to find a node for a pod, and sets its binding going or says
// why there is none. A panic fails the attempt, not the scheduler.
func (s *Scheduler) attempt(ctx context.Context, item *queue.Item) {
	defer func() {
		if r := recover(); r != nil {
			klog.FromContext(ctx).Error(errPanic, "Scheduling a pod", "pod", klog.KObj(item.Pod.Pod), "panic", r, "stack", string(debug.Stack()))
			s.fail(ctx, item, fmt.Errorf("%w: %v", errPanic, r))
		}
	}()
	timer := s.metrics.begin()
	if s.cache.Holds(item.UID) {
		s.queue.Done(item.UID)
		return
	}
	c, node, err := s.choose(ctx, item.Pod)
	if err != nil {
		timer.end(err)
		s.fail(ctx, item, err)
		return
	}
	if err := s.place(ctx, item, c, node); err != nil {
		timer.end(err)
		s.fail(ctx, item, err)
		return
	}
	timer.end(nil)
}

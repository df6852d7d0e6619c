// Package scheduler gives every pod a node.
package scheduler

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/guard"
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
	pods      corelisters.PodLister
	bindings  guard.Group
	underway  underway
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
		pods:      cfg.Informers.Core().V1().Pods().Lister(),
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

// attempt tries to find a node for a pod, and sets its binding going or says why there is none. A panic fails the attempt,
// not the scheduler.
func (s *Scheduler) attempt(ctx context.Context, item *queue.Item) {
	if s.cache.Holds(item.UID) {
		s.queue.Done(item.UID)
		return
	}
	timer := s.metrics.begin()
	err := guard.Call("scheduling a pod", func() error {
		c, node, err := s.choose(ctx, item.Pod)
		if err != nil {
			return err
		}
		return s.place(ctx, item, c, node)
	})
	timer.end(err)
	if err != nil {
		s.fail(ctx, item, err)
	}
}

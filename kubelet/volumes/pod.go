package volumes

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// podVolumes are one Pod's.
type podVolumes struct {
	// turn is held by whoever makes, changes or takes away volumes, however long that takes.
	turn chan struct{}
	// wake is the refresher's.
	wake chan struct{}

	mu      sync.Mutex
	pod     *corev1.Pod // as the API last gave it
	shown   []string    // what of it, and of the node, volumes show
	mounted bool
	gone    bool
	stop    context.CancelFunc // ends the refresher
	volumes map[string]volumeState
}

// volumeState is what is known of a volume that is made.
type volumeState struct {
	path string
	// volume is the PersistentVolume, "" for others. local is true where its path is a file system's.
	volume string
	local  bool
	// block is true for what containers see as a device.
	block    bool
	readOnly bool
	// group is one that all containers are members of, nil for none.
	group *int64
	// due is when the volume is to be rendered again, zero for never.
	due time.Time
	// stale says why the volume shows what is older than it could be, nil if it does not.
	stale error
}

func newPodVolumes(pod *corev1.Pod, shown []string) *podVolumes {
	return &podVolumes{turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), pod: pod, shown: shown, volumes: map[string]volumeState{}}
}

// begin waits until nobody else changes the Pod's volumes.
func (p *podVolumes) begin(ctx context.Context) (end func(), err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *podVolumes) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// rest forgets that it was woken, for one that does at once what it was woken for.
func (p *podVolumes) rest() {
	select {
	case <-p.wake:
	default:
	}
}

func (p *podVolumes) current() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pod
}

// settled tells whether there is nothing to mount: all is, or is gone.
func (p *podVolumes) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mounted || p.gone
}

// see takes a Pod as it is now, and tells whether volumes show anything else of it than before.
func (p *podVolumes) see(pod *corev1.Pod, shown []string) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = !slices.Equal(p.shown, shown)
	p.pod, p.shown = pod, shown
	return changed
}

func (p *podVolumes) keep(name string, made volumeState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.volumes[name] = made
}

func (p *podVolumes) state(name string) (volumeState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	made, ok := p.volumes[name]
	return made, ok
}

func (p *podVolumes) states() map[string]volumeState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.volumes)
}

// finish ends the refresher, and lets nothing be mounted any more.
func (p *podVolumes) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	if p.stop != nil {
		p.stop()
	}
}

package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/downward"
)

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	// lookEvery is how often it is looked whether a token is due. A timer would stand still while the machine sleeps, and know nothing
	// of a clock that is set.
	lookEvery = time.Minute
)

// Run renews tokens when they are due, until ctx ends and all that Mount started has.
func (v *Volumes) Run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done(): // not after a panic: then it goes on
			v.end()
			v.refreshes.Wait()
			return
		case <-look.C:
			v.pokeDue(time.Now())
		}
	}
}

func (v *Volumes) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
}

func (v *Volumes) pokeDue(now time.Time) {
	v.mu.Lock()
	all := slices.Collect(maps.Values(v.pods))
	v.mu.Unlock()
	for _, p := range all {
		for _, made := range p.states() {
			if !made.due.IsZero() && passed(made.due, now) {
				p.poke()
				break
			}
		}
	}
}

// passed tells whether a time has come by the clock or, if the clock was set back, by the time since.
func passed(t, now time.Time) bool {
	return !now.Before(t) || !now.Round(0).Before(t.Round(0))
}

// Update tells of a Pod, new or changed; volumes that show its fields follow.
func (v *Volumes) Update(pod *corev1.Pod) {
	shown := v.shown(pod)
	if p := v.entry(pod, shown); p.see(pod, shown) {
		p.poke()
	}
}

// Forget tells that the API has a Pod no more. What is mounted stays until Unmount.
func (v *Volumes) Forget(pod types.UID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p := v.pods[pod]; p != nil && len(p.states()) == 0 {
		delete(v.pods, pod)
	}
}

// Refresh renders the Pod's volumes anew because something that they show changed. It does nothing for a Pod whose
// volumes are not mounted.
func (v *Volumes) Refresh(pod types.UID) {
	if p := v.lookup(pod); p != nil {
		p.poke()
	}
}

// keepFresh starts what renders the Pod's volumes again when it is woken. The Pod's turn is held.
func (v *Volumes) keepFresh(p *podVolumes) {
	v.mu.Lock() // before a Pod's, as everywhere
	defer v.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return
	}
	p.mounted = true
	if v.over || !slices.ContainsFunc(p.pod.Spec.Volumes, func(volume corev1.Volume) bool { return rendered(&volume) }) {
		return
	}
	ctx, cancel := context.WithCancel(v.ctx)
	p.stop = cancel
	v.refreshes.Keep(ctx, "refresh volumes", func(ctx context.Context) { v.refreshing(ctx, p) })
}

// refreshing renders the Pod's volumes when it is woken, and again while that fails.
func (v *Volumes) refreshing(ctx context.Context, p *podVolumes) {
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	pause, told := time.Duration(0), ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-retry.C:
		}
		retry.Stop()
		err := guard.Call("refresh volumes", func() error { return v.refresh(ctx, p) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause, told = 0, ""
			continue
		}
		pause = min(max(2*pause, firstRetry), lastRetry)
		retry.Reset(pause)
		if err.Error() != told {
			told = err.Error()
			klog.FromContext(ctx).Info("Volumes not brought up to date", "pod", klog.KObj(p.current()), "error", err)
			v.Event(p.current(), "FailedMount", told)
		}
	}
}

func (v *Volumes) refresh(ctx context.Context, p *podVolumes) error {
	end, err := p.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	pod := p.current()
	var errs error
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if !rendered(volume) {
			continue
		}
		made, err := v.render(ctx, pod, volume)
		if err == nil {
			p.keep(volume.Name, made)
			err = made.stale
		}
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", volume.Name, err))
		}
	}
	return errs
}

// shown is all that a Pod's volumes show of the Pod itself and of the node.
func (v *Volumes) shown(pod *corev1.Pod) []string {
	var values []string
	var node *downward.Node
	add := func(items []corev1.DownwardAPIVolumeFile) {
		for _, item := range items {
			if node == nil {
				facts := v.Node()
				node = &facts
			}
			value, err := downwardValue(pod, *node, item)
			if err != nil {
				value = err.Error()
			}
			values = append(values, value)
		}
	}
	for i := range pod.Spec.Volumes {
		switch volume := &pod.Spec.Volumes[i]; {
		case volume.DownwardAPI != nil:
			add(volume.DownwardAPI.Items)
		case volume.Projected != nil:
			for _, s := range volume.Projected.Sources {
				if s.DownwardAPI != nil {
					add(s.DownwardAPI.Items)
				}
			}
		}
	}
	return values
}

package resources

import (
	"path/filepath"

	"github.com/opencontainers/cgroups"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/resource"

	"github.com/coracle-k8s/coracle/apis/core"
)

// Recall makes burstable Pods weigh what those of an earlier process do: of the Pods given, which have not ended, those that have a
// cgroup.
func (g *Cgroups) Recall(pods []*corev1.Pod) error {
	g.mu.Lock()
	for _, pod := range pods {
		if _, known := g.pods[pod.UID]; known && core.QOSClass(pod) == corev1.PodQOSBurstable {
			g.burstable[pod.UID] = cpuOf(pod)
		}
		if _, known := g.pods[pod.UID]; known && g.keeps() {
			g.protected[pod.UID] = protectedOf(pod)
		}
	}
	g.mu.Unlock()
	if err := g.protect(); err != nil {
		return err
	}
	return g.writeWeight()
}

// keeps tells whether what Pods request of memory is kept for them.
func (g *Cgroups) keeps() bool { return g.machine.Unified && g.machine.QoS.Tiered }

func protectedOf(pod *corev1.Pod) protected {
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{})
	return protected{core.QOSClass(pod), requests.Memory().Value()}
}

// keep counts a Pod's memory among that which is kept, before the Pod's own cgroup is told.
func (g *Cgroups) keep(pod *corev1.Pod) error {
	if !g.keeps() {
		return nil
	}
	now := protectedOf(pod)
	g.mu.Lock()
	same := g.protected[pod.UID] == now
	g.protected[pod.UID] = now
	g.mu.Unlock()
	if same {
		return nil
	}
	return g.protect()
}

// Protected is how much memory the kernel never takes from Pods, and how much only as a last resort; nothing is known in version 1.
func (g *Cgroups) Protected() (guaranteed, burstable int64, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.protected {
		switch p.class {
		case corev1.PodQOSGuaranteed:
			guaranteed += p.bytes
		case corev1.PodQOSBurstable:
			burstable += p.bytes
		}
	}
	return guaranteed, burstable, g.machine.Unified
}

// protect tells the kernel what is kept for all Pods, and for burstable ones. Writes follow one another, as those of weights. Where nothing
// is kept, nothing is written but over what an earlier process kept.
func (g *Cgroups) protect() error {
	if !g.machine.Unified || !g.keeps() && !kept(g.root) {
		return nil
	}
	g.weighing.Lock()
	defer g.weighing.Unlock()
	guaranteed, burstable, _ := g.Protected()
	all, ofBurstable := g.machine.QoS.above(guaranteed, burstable)
	if err := apply(g.root, &cgroups.Resources{SkipDevices: true, Unified: all}); err != nil {
		return err
	}
	return apply(filepath.Join(g.root, "burstable"), &cgroups.Resources{SkipDevices: true, Unified: ofBurstable})
}

// cpuOf is what a Pod requests of CPU, in thousandths.
func cpuOf(pod *corev1.Pod) int64 {
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{})
	return requests.Cpu().MilliValue()
}

// weigh makes the burstable Pods together weigh what they request; within, each has its own part of that.
func (g *Cgroups) weigh(uid types.UID, milliCPU int64) error {
	g.mu.Lock()
	now, found := g.burstable[uid]
	g.burstable[uid] = milliCPU
	if milliCPU == 0 {
		delete(g.burstable, uid)
	}
	g.mu.Unlock()
	if now == milliCPU && found == (milliCPU > 0) {
		return nil
	}
	return g.writeWeight()
}

// writeWeight tells the kernel what burstable Pods weigh now. Writes follow one another, so that the last sum is the one that stays.
func (g *Cgroups) writeWeight() error {
	g.weighing.Lock()
	defer g.weighing.Unlock()
	var total int64
	g.mu.Lock()
	for _, m := range g.burstable {
		total += m
	}
	g.mu.Unlock()
	r := &cgroups.Resources{SkipDevices: true}
	setShares(r, Shares(total))
	return apply(filepath.Join(g.root, "burstable"), r)
}

// kept tells whether something is kept for all Pods.
func kept(root string) bool {
	for _, file := range []string{memoryMin, memoryLow} {
		if n, err := readNumber(filepath.Join(mountpoint, root, file)); err == nil && n > 0 {
			return true
		}
	}
	return false
}

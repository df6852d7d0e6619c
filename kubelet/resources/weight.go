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
	}
	g.mu.Unlock()
	return g.writeWeight()
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

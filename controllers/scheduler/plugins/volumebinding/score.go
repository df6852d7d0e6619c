package volumebinding

import (
	"math"

	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

// use is how much of volumes of a class is asked for, in bytes.
type use struct{ requested, capacity int64 }

// rate prefers nodes where what is asked for leaves most of the chosen volumes free, as upstream's default does. Volumes that are yet
// to be made do not count.
func (p *Plugin) rate(waiting []*matching.Candidates, use *matching.Use, feasible []*snapshot.Node) []int64 {
	scores := make([]int64, len(feasible))
	for i, node := range feasible {
		if choices, status := p.match(waiting, use, node.Node); status == nil {
			scores[i] = score(choices)
		}
	}
	return scores
}

// score is the mean over the classes of the chosen volumes, 0 without any.
func score(choices []choice) int64 {
	classes := map[string]use{}
	for _, c := range choices {
		if c.volume == nil {
			continue
		}
		name := volume.GetPersistentVolumeClaimClass(c.claim)
		u := classes[name]
		u.requested += c.claim.Spec.Resources.Requests.Storage().Value()
		u.capacity += c.volume.Spec.Capacity.Storage().Value()
		classes[name] = u
	}
	if len(classes) == 0 {
		return 0
	}
	var sum int64
	for _, u := range classes {
		if u.capacity > 0 && u.requested <= u.capacity {
			sum += framework.MaxScore - framework.MaxScore*u.requested/u.capacity
		}
	}
	return int64(math.Round(float64(sum) / float64(len(classes))))
}

package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// memorable is how old a reading may be that another is compared with: what was used in between is more than what is used now.
	memorable = 2 * time.Minute
	// least is over how long a container that has just started must have run: less says too little.
	least = time.Second
)

// Use is what something uses: CPU in billionths of a core, on average over the window that ended at At, and memory in bytes.
type Use struct {
	CPU, Memory int64
	At          time.Time
	Window      time.Duration
}

// ContainerUse is what one container uses.
type ContainerUse struct {
	Name string
	Use
	since time.Time
}

// Figure is what is known of a node by its last reading and those before. It does not change.
type Figure struct {
	// Node is nil where it is not known.
	Node *Use
	// pods are by name: a node runs one Pod of a name at a time. Those of which something is not known are not in it.
	pods map[types.NamespacedName][]ContainerUse

	last reading
	uses map[container]Use
	at   time.Time // by this machine's clock
}

// Pod is what the containers of a Pod that run use, by their names; none if that is not known of each of them.
func (f *Figure) Pod(namespace, name string) []ContainerUse {
	if f == nil {
		return nil
	}
	return f.pods[types.NamespacedName{Namespace: namespace, Name: name}]
}

// after is the figure by one more reading, received at now. f, the one before, may be nil.
func (f *Figure) after(r *reading, now time.Time) *Figure {
	if f == nil {
		f = &Figure{}
	}
	next := &Figure{pods: map[types.NamespacedName][]ContainerUse{}, last: *r, uses: map[container]Use{}, at: now}
	if r.node.usable() {
		next.Node = between(f.last.node, r.node, f.Node)
	}
	unknown := map[types.NamespacedName]bool{}
	for c, s := range r.containers {
		pod := types.NamespacedName{Namespace: c.namespace, Name: c.pod}
		var use *Use
		if s.usable() {
			var same *Use
			if u, ok := f.uses[c]; ok {
				same = &u
			}
			use = between(f.last.containers[c], s, same)
		}
		if use == nil {
			unknown[pod] = true
			continue
		}
		next.uses[c] = *use
		next.pods[pod] = append(next.pods[pod], ContainerUse{Name: c.name, Use: *use, since: s.since})
	}
	for pod, uses := range next.pods {
		if unknown[pod] {
			delete(next.pods, pod)
			continue
		}
		slices.SortFunc(uses, func(a, b ContainerUse) int { return cmp.Compare(a.Name, b.Name) })
	}
	return next
}

// between is what was used between two samples, nil if that cannot be told. A sample of the time of the one before is that one: same is
// what it meant. What has begun between the two, and what has begun lately and was not seen before, is measured from its beginning.
func between(before, now sample, same *Use) *Use {
	if before.usable() && before.since.Equal(now.since) && before.cpu <= now.cpu {
		switch window := now.at.Sub(before.at); {
		case window == 0 && same != nil:
			return same
		case window > 0:
			return use(now, now.cpu-before.cpu, window)
		}
	}
	if age := now.at.Sub(now.since); !now.since.IsZero() && age >= least && age <= memorable {
		return use(now, now.cpu, age)
	}
	return nil
}

func use(s sample, cpu float64, window time.Duration) *Use {
	return &Use{CPU: int64(math.Round(cpu / window.Seconds() * 1e9)), Memory: s.memory, At: s.at, Window: window}
}

package snapshot

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestSumsAreThoseOfThePodsThereAre tells a cache of nodes and pods at random, and adds up anew what each picture should
// have.
func TestSumsAreThoseOfThePodsThereAre(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 0))
		c := NewCache()
		nodes, on, assumed := map[string]bool{}, map[string]string{}, map[string]bool{}
		for range 300 {
			name, at := fmt.Sprintf("pod-%d", random.IntN(12)), fmt.Sprintf("node-%d", random.IntN(5))
			switch random.IntN(7) {
			case 0, 1:
				c.SetNode(node(at, fmt.Sprint(random.IntN(2))))
				nodes[at] = true
			case 2:
				c.RemoveNode(at)
				delete(nodes, at)
			case 3:
				put(t, c, affine(name, at))
				on[name] = at
				delete(assumed, name)
			case 4:
				c.RemovePod(types.UID(name))
				delete(on, name)
				delete(assumed, name)
			case 5:
				parsed, err := NewPod(affine(name, ""))
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Assume(parsed, at); (err == nil) != (on[name] == "") {
					t.Fatalf("seed %d: assuming %s, which is on %q: %v", seed, name, on[name], err)
				} else if err == nil {
					on[name], assumed[name] = at, true
				}
			case 6:
				c.Forget(types.UID(name))
				if assumed[name] {
					delete(on, name)
					delete(assumed, name)
				}
			}
			if random.IntN(3) == 0 {
				compare(t, seed, c.Snapshot(), nodes, on)
			}
		}
	}
}

// affine is a pod of which every second has required anti-affinity.
func affine(name, on string) *corev1.Pod {
	p := pod(name, on)
	if (name[len(name)-1]-'0')%2 == 1 {
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}},
		}}
	}
	return p
}

func compare(t *testing.T, seed uint64, s *Snapshot, nodes map[string]bool, on map[string]string) {
	t.Helper()
	got := names(s)
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(nodes)); !slices.Equal(got, want) {
		t.Fatalf("seed %d: nodes %v, want %v", seed, got, want)
	}
	antiAffine := 0
	for _, n := range s.Nodes {
		var want []string
		shy := false
		for pod, at := range on {
			if at == n.Name {
				want = append(want, pod)
				shy = shy || affine(pod, at).Spec.Affinity != nil
			}
		}
		var there []string
		for _, p := range n.Pods {
			there = append(there, p.Name)
		}
		slices.Sort(want)
		slices.Sort(there)
		if !slices.Equal(there, want) || n.Requested.MilliCPU != int64(1000*len(want)) || s.Node(n.Name) != n || n.HasAntiAffinePods() != shy {
			t.Fatalf("seed %d: on %s are %v, requesting %d; want %v", seed, n.Name, there, n.Requested.MilliCPU, want)
		}
		if port := (HostPort{anyIP, corev1.ProtocolTCP, 80}); n.Ports[port] != len(want) {
			t.Fatalf("seed %d: %d users of the port on %s, want %d", seed, n.Ports[port], n.Name, len(want))
		}
		if shy {
			antiAffine++
			if !slices.Contains(s.AntiAffine, n) || !slices.Contains(s.Affine, n) {
				t.Fatalf("seed %d: %s is not among those with anti-affinity", seed, n.Name)
			}
		}
	}
	if len(s.AntiAffine) != antiAffine {
		t.Fatalf("seed %d: %d nodes with anti-affinity, want %d", seed, len(s.AntiAffine), antiAffine)
	}
}

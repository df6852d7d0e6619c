package scheduler

import (
	"fmt"
	"testing"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// BenchmarkChoose chooses among so many nodes with twenty pods each, of which one has just changed.
func BenchmarkChoose(b *testing.B) {
	for _, nodes := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("%d nodes", nodes), func(b *testing.B) {
			client := fake.NewClientset()
			s := &Scheduler{cache: snapshot.NewCache(), nominated: queue.NewNominator(), client: client}
			s.informers = informers.NewSharedInformerFactory(client, 0)
			s.plugins = defaultPlugins(s.informers, client)
			s.preemptor = newPreemptor(s)
			for i := range nodes {
				name := fmt.Sprintf("node-%d", i)
				s.cache.SetNode(node(name, "64"))
				for j := range 20 {
					running := pod(fmt.Sprintf("pod-%d-%d", i, j), "1")
					running.Spec.NodeName = name
					if err := s.cache.SetPod(running); err != nil {
						b.Fatal(err)
					}
				}
			}
			wanting, err := snapshot.NewPod(pod("p", "1"))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s.cache.SetNode(node("node-0", "64"))
				if _, _, err := s.choose(b.Context(), wanting); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package scheduler

import (
	"fmt"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/scheduler/queue"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// benchmarked are pods by what they ask of the plugins, and those like them that run.
var benchmarked = []struct {
	name            string
	wanting, others func(*corev1.Pod)
	counts          []int
}{
	{"plain", plain, plain, []int{1, 10, 100, 1000}},
	{"of a ReplicaSet and a Service", func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", Controller: ptr.To(true)}}
	}, plain, []int{100, 1000}},
	{"spread over zones", spreading(corev1.LabelTopologyZone), plain, []int{100, 1000}},
	{"spread over nodes", spreading(corev1.LabelHostname), plain, []int{100, 1000}},
	{"one to a node", apart, apart, []int{100, 1000}},
	{"kept away by others", plain, apart, []int{100, 1000}},
}

func plain(*corev1.Pod) {}

func spreading(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels},
		}}
	}
}

func apart(p *corev1.Pod) {
	p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
		{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: p.Labels}},
	}}}
}

// BenchmarkChoose chooses among so many nodes in three zones, all but the last with one of the pod's like and nineteen
// others, of which one has just changed.
func BenchmarkChoose(b *testing.B) {
	for _, kind := range benchmarked {
		for _, nodes := range kind.counts {
			b.Run(fmt.Sprintf("%s/%d nodes", kind.name, nodes), func(b *testing.B) {
				s := full(b, nodes, kind.others)
				wanting, err := snapshot.NewPod(pod("p", "1", like, kind.wanting))
				if err != nil {
					b.Fatal(err)
				}
				began := cpuTime()
				defer func() { b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op") }()
				for b.Loop() {
					s.cache.SetNode(zoned(0))
					if _, _, err := s.choose(b.Context(), wanting); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// cpuTime is what the process has used of processors: on a busy machine it says more than the clock.
func cpuTime() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func like(p *corev1.Pod) { p.Labels = map[string]string{"app": "web"} }

func zoned(i int) *corev1.Node {
	n := node(fmt.Sprintf("node-%d", i), "64")
	n.Labels = map[string]string{corev1.LabelHostname: n.Name, corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3)}
	return n
}

// full is a scheduler that knows of so many nodes with twenty pods each.
func full(b *testing.B, nodes int, change func(*corev1.Pod)) *Scheduler {
	b.Helper()
	client := fake.NewClientset()
	s := &Scheduler{cache: snapshot.NewCache(), nominated: queue.NewNominator(), client: client}
	s.informers = informers.NewSharedInformerFactory(client, 0)
	s.plugins = defaultPlugins(s.informers, client)
	s.preemptor = newPreemptor(s)
	web := map[string]string{"app": "web"}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}, Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: web}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}, Spec: corev1.ServiceSpec{Selector: web}}
	if err := s.informers.Apps().V1().ReplicaSets().Informer().GetStore().Add(set); err != nil {
		b.Fatal(err)
	}
	if err := s.informers.Core().V1().Services().Informer().GetStore().Add(service); err != nil {
		b.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}
	if err := s.informers.Core().V1().Namespaces().Informer().GetStore().Add(namespace); err != nil {
		b.Fatal(err)
	}
	for i := range nodes {
		n := zoned(i)
		s.cache.SetNode(n)
		for j := range 20 {
			running := pod(fmt.Sprintf("pod-%d-%d", i, j), "1")
			if j == 0 && (i < nodes-1 || nodes == 1) {
				like(running)
				change(running)
			}
			running.Spec.NodeName = n.Name
			if err := s.cache.SetPod(running); err != nil {
				b.Fatal(err)
			}
		}
	}
	return s
}

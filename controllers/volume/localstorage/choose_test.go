package localstorage

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/volume"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/loop"
	"github.com/coracle-k8s/coracle/controllers/volume/matching"
)

func TestANodeIsChosenWhereNoPodIsWaitedFor(t *testing.T) {
	on := func(node string, size string) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{api.LocalNode: node}},
			Spec:       corev1.PersistentVolumeSpec{Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
		}
	}
	with := func(name string, change func(*corev1.Node)) corev1.Node {
		n := ready(name)
		change(n)
		return *n
	}
	as := func(name string) corev1.Node { return with(name, func(*corev1.Node) {}) }
	for name, c := range map[string]struct {
		nodes   []corev1.Node
		volumes []*corev1.PersistentVolume
		hosts   []string
		want    string // or in the error
	}{
		"one":                 {nodes: []corev1.Node{as("a")}, want: "a"},
		"the emptier":         {nodes: []corev1.Node{as("a"), as("b")}, volumes: []*corev1.PersistentVolume{on("a", "1Gi")}, want: "b"},
		"one with room":       {nodes: []corev1.Node{as("a"), as("b")}, volumes: []*corev1.PersistentVolume{on("b", "10Gi")}, want: "a"},
		"none with room":      {nodes: []corev1.Node{as("a")}, volumes: []*corev1.PersistentVolume{on("a", "10Gi")}, want: "node a has no room"},
		"the class's":         {nodes: []corev1.Node{as("a"), as("b")}, hosts: []string{"b"}, want: "b"},
		"none of the class's": {nodes: []corev1.Node{as("a")}, hosts: []string{"b"}, want: "node a is not in the class's allowedTopologies"},
		"cordoned":            {nodes: []corev1.Node{with("a", func(n *corev1.Node) { n.Spec.Unschedulable = true })}, want: "node a takes no new Pods"},
		"tainted":             {nodes: []corev1.Node{with("a", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Effect: corev1.TaintEffectNoSchedule}} })}, want: "node a takes no new Pods"},
		"away":                {nodes: []corev1.Node{with("a", func(n *corev1.Node) { n.Status.Conditions = nil })}, want: "node a is not ready"},
		"of another kind":     {nodes: []corev1.Node{with("a", func(n *corev1.Node) { n.Annotations = nil })}, want: "node a has no local storage"},
		"no node":             {want: "no node can have the volume"},
	} {
		class := local(storagev1.VolumeBindingImmediate)
		if c.hosts != nil {
			class.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelHostname, Values: c.hosts}}}}
		}
		got, err := choose(claimed(), class, c.nodes, matching.Used(c.volumes, nil))
		if got != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// again reconciles until nothing is written any more, as the manager does.
func again(t *testing.T, r *controller) *corev1.PersistentVolumeClaim {
	t.Helper()
	var c corev1.PersistentVolumeClaim
	for last := "none"; last != c.ResourceVersion; {
		last = c.ResourceVersion
		_, _ = r.Reconcile(t.Context(), loop.Request("ns", "c"))
		if err := r.client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "c"}, &c); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

func TestImmediateClaimsGetANode(t *testing.T) {
	claim, d := selected(""), &disks{}
	delete(claim.Annotations, volume.AnnSelectedNode)
	again(t, world(t, d, ready("n"), local(storagev1.VolumeBindingImmediate), claim))
	if !slices.Contains(d.asked, "make n pvc-uid") {
		t.Errorf("asked: %v", d.asked)
	}
}

// TestPodsThatNoSchedulerPlacedGetTheirVolumes: whoever makes a Pod may say where it is.
func TestPodsThatNoSchedulerPlacedGetTheirVolumes(t *testing.T) {
	pod := func(node string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}, Spec: corev1.PodSpec{NodeName: node}}
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
		return p
	}
	full := ready("full")
	full.Annotations[api.LocalRoom] = "1Mi"
	for node, want := range map[string]string{"n": "n", "": "", "gone": "", "full": ""} {
		claim := selected("")
		claim.Annotations = nil
		r := world(t, &disks{}, ready("n"), full.DeepCopy(), local(storagev1.VolumeBindingWaitForFirstConsumer), claim, pod(node))
		if got := matching.Selected(again(t, r)); got != want {
			t.Errorf("a Pod on node %q: the claim's node is %q, want %q", node, got, want)
		}
	}
}

// TestNodesGoInEveryPhase: a choice is forgotten, data is not.
func TestNodesGoInEveryPhase(t *testing.T) {
	lazily := local(storagev1.VolumeBindingWaitForFirstConsumer)
	away := ready("n")
	away.Status.Conditions = nil
	for name, c := range map[string]struct {
		class *storagev1.StorageClass
		nodes []client.Object
		err   error
		want  string
	}{
		"before its directory is made":          {lazily, nil, nil, ""},
		"away before it is made":                {lazily, []client.Object{away}, nil, ""},
		"while it is made, and it may be again": {lazily, []client.Object{ready("n")}, errors.New("cut off"), "n"},
		"full":                                  {lazily, []client.Object{ready("n")}, ErrFull, ""},
		"another is there":                      {local(storagev1.VolumeBindingImmediate), []client.Object{ready("m")}, nil, "m"},
	} {
		r := world(t, &disks{err: c.err}, append(c.nodes, c.class.DeepCopy(), selected("n"))...)
		if got := matching.Selected(again(t, r)); got != c.want {
			t.Errorf("%s: the claim's node is %q, want %q", name, got, c.want)
		}
	}
	for name, nodes := range map[string][]client.Object{"gone": nil, "away": {away}} {
		v, err := made(claimed(), lazily, ready("n"))
		if err != nil {
			t.Fatal(err)
		}
		v.Status.Phase = corev1.VolumeReleased
		v.UID, v.Annotations[madeAs] = "v", "v"
		d := &disks{}
		r := world(t, d, append(nodes, v)...)
		if _, err := r.Reconcile(t.Context(), loop.Request("", v.Name)); err != nil || len(d.asked) > 0 {
			t.Errorf("%s: %v, asked %v", name, err, d.asked)
		}
		var now corev1.PersistentVolume
		if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(v), &now); err != nil || !ours(&now) {
			t.Errorf("%s: the released volume does not wait: %v", name, err)
		}
		if requests := r.onNode(t.Context(), ready("n")); len(requests) != 1 || requests[0].Name != v.Name {
			t.Errorf("%s: a node that is back wakes %v", name, requests)
		}
	}
}

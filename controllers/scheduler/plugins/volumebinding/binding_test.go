package volumebinding

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"

	api "github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func claim(name, class string, change ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: "uid"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func boundTo(name string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) {
		c.Spec.VolumeName = name
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, volume.AnnBindCompleted, "yes")
	}
}

// pv is a volume that can be reached from one node.
func pv(name, class, node string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
}

func class(name, provisioner string, mode storagev1.VolumeBindingMode, hosts ...string) *storagev1.StorageClass {
	c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: provisioner, VolumeBindingMode: &mode}
	if len(hosts) > 0 {
		c.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelHostname, Values: hosts}}}}
	}
	return c
}

func using(claims ...string) *corev1.Pod {
	return opinions.Pod("p", func(p *corev1.Pod) {
		for _, name := range claims {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
		}
	})
}

func newPlugin(t *testing.T, objects ...runtime.Object) *Plugin {
	t.Helper()
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugin := New(factory, client)
	for _, object := range objects {
		var store cache.Store
		switch object.(type) {
		case *corev1.PersistentVolumeClaim:
			store = factory.Core().V1().PersistentVolumeClaims().Informer().GetStore()
		case *corev1.PersistentVolume:
			store = factory.Core().V1().PersistentVolumes().Informer().GetStore()
		case *storagev1.StorageClass:
			store = factory.Storage().V1().StorageClasses().Informer().GetStore()
		}
		if err := store.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	return plugin
}

func TestNodesForVolumes(t *testing.T) {
	const wait, now = storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	const none = "!node(s) didn't find available persistent volumes to bind"
	lost := func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName, c.Status.Phase = "v", corev1.ClaimLost }
	selected := func(c *corev1.PersistentVolumeClaim) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, volume.AnnSelectedNode, "b")
	}
	tenGi := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}
	large := func(c *corev1.PersistentVolumeClaim) { c.Spec.Resources.Requests = tenGi }
	big := func(v *corev1.PersistentVolume) *corev1.PersistentVolume { v.Spec.Capacity = tenGi; return v }
	leaving := func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = ptr.To(metav1.Now()) }
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		objects []runtime.Object
		want    []string
	}{
		"no claims":                {using(), nil, []string{"ok", "ok"}},
		"no such claim":            {using("c"), nil, []string{`all: !persistentvolumeclaim "c" not found`}},
		"bound":                    {using("c"), []runtime.Object{claim("c", "x", boundTo("v")), pv("v", "x", "a")}, []string{"ok", "!node(s) didn't match PersistentVolume's node affinity"}},
		"bound to nothing":         {using("c"), []runtime.Object{claim("c", "x", boundTo("v"))}, []string{"!node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", "!node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"}},
		"lost":                     {using("c"), []runtime.Object{claim("c", "x", lost)}, []string{`all: !persistentvolumeclaim "c" bound to non-existent persistentvolume "v"`}},
		"leaving":                  {using("c"), []runtime.Object{claim("c", "x", leaving)}, []string{`all: !persistentvolumeclaim "c" is being deleted`}},
		"immediate":                {using("c"), []runtime.Object{claim("c", "x"), class("x", "p", now)}, []string{"all: !pod has unbound immediate PersistentVolumeClaims"}},
		"class unknown":            {using("c"), []runtime.Object{claim("c", "x")}, []string{"all: !pod has unbound immediate PersistentVolumeClaims"}},
		"one on a node":            {using("c"), []runtime.Object{claim("c", "x"), class("x", volume.NotSupportedProvisioner, wait), pv("v", "x", "b")}, []string{none, "ok"}},
		"two for one volume":       {using("c", "d"), []runtime.Object{claim("c", "x"), claim("d", "x"), class("x", volume.NotSupportedProvisioner, wait), pv("v", "x", "b")}, []string{none, none}},
		"to be made":               {using("c"), []runtime.Object{claim("c", "x"), class("x", "p", wait)}, []string{"ok", "ok"}},
		"to be made on some":       {using("c"), []runtime.Object{claim("c", "x"), class("x", "p", wait, "a")}, []string{"ok", none}},
		"being made, not any more": {using("c"), []runtime.Object{claim("c", "x", selected), class("x", volume.NotSupportedProvisioner, wait)}, []string{none, none}},
		"small claims first":       {using("c", "d"), []runtime.Object{claim("c", "x", large), claim("d", "x"), class("x", volume.NotSupportedProvisioner, wait), pv("v", "x", "b"), big(pv("w", "x", "b"))}, []string{none, "ok"}},
		"being made":               {using("c"), []runtime.Object{claim("c", "x", selected), class("x", "p", wait)}, []string{none, "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, newPlugin(t, test.objects...), test.pod, opinions.Node("a", ""), opinions.Node("b", "")), test.want...)
		})
	}
}

// TestRoomForLocalVolumesIsReserved: of Pods that are placed one after another, before anything is made, each finds what the last one left.
func TestRoomForLocalVolumesIsReserved(t *testing.T) {
	objects := []runtime.Object{class("local", api.LocalProvisioner, storagev1.VolumeBindingWaitForFirstConsumer)}
	for i := range 20 {
		objects = append(objects, claim(fmt.Sprint("c", i), "local", func(c *corev1.PersistentVolumeClaim) { c.UID = types.UID(fmt.Sprint(i)) }))
	}
	p, node, placed := newPlugin(t, objects...), opinions.Node("a", ""), 0
	opinions.Expect(t, opinions.Filter(t, p, using("c0"), node), "!node(s) did not have enough free storage")
	node.Node.Annotations = map[string]string{api.LocalRoom: "10Gi"}
	var last framework.Opinion
	for i := range 20 {
		opinion := prepared(t, p, using(fmt.Sprint("c", i)), node)
		if opinion.Filter(node) != nil {
			continue
		}
		if status := opinion.Reserve(node); status != nil {
			t.Fatalf("a node that passed the filter: %s", status)
		}
		placed, last = placed+1, opinion
	}
	if placed != 10 {
		t.Errorf("%d of 20 found one of 10 places", placed)
	}
	last.Unreserve()
	opinions.Expect(t, opinions.Filter(t, p, using("c19"), node), "ok")
	opinions.Expect(t, opinions.Filter(t, p, using("c18", "c19"), node), "!node(s) did not have enough free storage")
}

func prepared(t *testing.T, p *Plugin, pod *corev1.Pod, node *snapshot.Node) framework.Opinion {
	t.Helper()
	parsed, err := snapshot.NewPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	opinion, status := p.Prepare(parsed, snapshot.Of(node))
	if status != nil {
		t.Fatal(status)
	}
	return opinion
}

func TestAChosenVolumeIsNotChosenTwice(t *testing.T) {
	node := opinions.Node("a", "")
	p := newPlugin(t, claim("c", "x"), claim("d", "x"), class("x", volume.NotSupportedProvisioner, storagev1.VolumeBindingWaitForFirstConsumer), pv("v", "x", "a"))
	first, second := prepared(t, p, using("c"), node), prepared(t, p, using("d"), node)
	if status := first.Reserve(node); status != nil {
		t.Fatal(status)
	}
	if status := second.Filter(node); status == nil {
		t.Error("the volume is chosen again")
	}
	first.Unreserve()
	if status := second.Filter(node); status != nil {
		t.Errorf("the volume is free again: %s", status)
	}
}

func TestBindingWaitsForTheVolume(t *testing.T) {
	for name, test := range map[string]struct {
		volume *corev1.PersistentVolume
		change func(*corev1.PersistentVolumeClaim)
		err    string
	}{
		"chosen":          {pv("v", "x", "a"), boundTo("v"), "<nil>"},
		"made":            {nil, boundTo("new"), "<nil>"},
		"taken elsewhere": {nil, boundTo("far"), "binding the claim ns/c: volume far cannot be reached from node a: no matching NodeSelectorTerms"},
		"not made":        {nil, func(c *corev1.PersistentVolumeClaim) { delete(c.Annotations, volume.AnnSelectedNode) }, "binding the claim ns/c: " + errGivenUp.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []runtime.Object{claim("c", "x"), class("x", "p", storagev1.VolumeBindingWaitForFirstConsumer), pv("new", "made", "a"), pv("far", "made", "b")}
			if test.volume != nil {
				objects = append(objects, test.volume)
			}
			p, node := newPlugin(t, objects...), opinions.Node("a", "")
			opinion := prepared(t, p, using("c"), node)
			if status := opinion.Reserve(node); status != nil {
				t.Fatal(status)
			}
			claims := p.client.CoreV1().PersistentVolumeClaims("ns")
			watched := watches(p.client.(*fake.Clientset))
			done := make(chan error)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() { done <- opinion.BeforeBinding(ctx, node.Node) }()
			<-watched
			now, err := claims.Get(ctx, "c", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if selected := now.Annotations[volume.AnnSelectedNode]; test.volume == nil && selected != "a" {
				t.Errorf("selected node: %q", selected)
			}
			now = now.DeepCopy()
			test.change(now)
			if _, err := claims.Update(ctx, now, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := <-done; fmt.Sprint(err) != test.err {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if test.volume != nil {
				given, err := p.client.CoreV1().PersistentVolumes().Get(ctx, "v", metav1.GetOptions{})
				if err != nil || given.Spec.ClaimRef == nil || given.Spec.ClaimRef.Name != "c" {
					t.Errorf("volume %+v, %v", given, err)
				}
			}
		})
	}
}

// watches has a value for each watch of claims that has begun.
func watches(client *fake.Clientset) <-chan struct{} {
	begun := make(chan struct{}, 10)
	client.PrependWatchReactor("persistentvolumeclaims", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		begun <- struct{}{}
		return true, w, err
	})
	return begun
}

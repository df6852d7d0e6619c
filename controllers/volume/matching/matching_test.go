package matching

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func storage(size string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
}

type change func(*corev1.PersistentVolume)

func pv(name, size string, changes ...change) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"disk": name}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: storage(size), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: "fast",
		},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeAvailable},
	}
	for _, c := range changes {
		c(v)
	}
	return v
}

func of(class string) change {
	return func(v *corev1.PersistentVolume) { v.Spec.StorageClassName = class }
}

func block(v *corev1.PersistentVolume) { v.Spec.VolumeMode = ptr.To(corev1.PersistentVolumeBlock) }

func failed(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeFailed }

func shared(v *corev1.PersistentVolume) {
	v.Spec.AccessModes = append(v.Spec.AccessModes, corev1.ReadWriteMany)
}

func reserved(name string, uid types.UID) change {
	return func(v *corev1.PersistentVolume) {
		v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "ns", Name: name, UID: uid}
	}
}

// on makes a volume that can be reached where a label has one of the values.
func on(key string, values ...string) change {
	return func(v *corev1.PersistentVolume) {
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}},
		}}}}
	}
}

func pvc() *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c", UID: "c"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr.To("fast"),
		Resources: corev1.VolumeResourceRequirements{Requests: storage("5Gi")},
	}}
}

type volumes = []*corev1.PersistentVolume

func name(v *corev1.PersistentVolume) string {
	if v == nil {
		return ""
	}
	return v.Name
}

func TestBindable(t *testing.T) {
	picky := pvc()
	picky.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"disk": "b"}}
	many := pvc()
	many.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	for what, test := range map[string]struct {
		claim   *corev1.PersistentVolumeClaim
		volumes volumes
		lazy    bool
		want    string
	}{
		"the smallest that is enough":     {pvc(), volumes{pv("a", "9Gi"), pv("b", "6Gi"), pv("c", "1Gi")}, false, "b"},
		"the one with the fewest modes":   {pvc(), volumes{pv("a", "6Gi", shared), pv("b", "9Gi")}, false, "b"},
		"one with more modes":             {pvc(), volumes{pv("a", "6Gi", shared), pv("b", "1Gi")}, false, "a"},
		"none is enough":                  {pvc(), volumes{pv("a", "1Gi")}, false, ""},
		"of the same class":               {pvc(), volumes{pv("a", "9Gi", of("slow"))}, false, ""},
		"of the same mode":                {pvc(), volumes{pv("a", "9Gi", block)}, false, ""},
		"with the access asked for":       {many, volumes{pv("a", "9Gi")}, false, ""},
		"one that is another's":           {pvc(), volumes{pv("a", "9Gi", reserved("other", ""))}, false, ""},
		"one that is reserved":            {pvc(), volumes{pv("a", "6Gi"), pv("b", "9Gi", shared, reserved("c", ""))}, false, "b"},
		"one of a former claim":           {pvc(), volumes{pv("a", "9Gi", reserved("c", "x"))}, false, ""},
		"one that failed":                 {pvc(), volumes{pv("a", "9Gi", failed)}, false, ""},
		"one that it selects":             {picky, volumes{pv("a", "6Gi"), pv("b", "9Gi")}, false, "b"},
		"a free one before its consumer":  {pvc(), volumes{pv("a", "9Gi")}, true, ""},
		"a reserved one for its consumer": {pvc(), volumes{pv("a", "9Gi"), pv("b", "9Gi", reserved("c", "c"))}, true, "b"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := Bindable(test.claim, test.volumes, test.lazy)
			if err != nil || name(got) != test.want {
				t.Errorf("got %q, %v; want %q", name(got), err, test.want)
			}
		})
	}
}

func TestUnfit(t *testing.T) {
	many := pvc()
	many.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	for want, test := range map[string]struct {
		claim  *corev1.PersistentVolumeClaim
		volume *corev1.PersistentVolume
	}{
		"":                                {pvc(), pv("a", "9Gi")},
		"requested PV is too small":       {pvc(), pv("a", "1Gi")},
		"storageClassName does not match": {pvc(), pv("a", "9Gi", of("slow"))},
		"incompatible volumeMode":         {pvc(), pv("a", "9Gi", block)},
		"incompatible accessMode":         {many, pv("a", "9Gi")},
	} {
		got := ""
		if err := Unfit(test.claim, test.volume); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCandidatesOnANode(t *testing.T) {
	const host, zone = corev1.LabelHostname, corev1.LabelTopologyZone
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{host: "n", zone: "z"}}}
	notIn := func(v *corev1.PersistentVolume) {
		on(host, "n")(v)
		v.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
	}
	either := func(v *corev1.PersistentVolume) {
		on(host, "other")(v)
		terms := &v.Spec.NodeAffinity.Required.NodeSelectorTerms
		*terms = append(*terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: zone, Operator: corev1.NodeSelectorOpExists}}})
	}
	for what, test := range map[string]struct {
		volumes  volumes
		excluded string
		want     string
	}{
		"reachable from everywhere":  {volumes{pv("a", "9Gi")}, "", "a"},
		"from here":                  {volumes{pv("a", "9Gi", on(host, "other")), pv("b", "9Gi", on(host, "other", "n", "n"))}, "", "b"},
		"from this zone":             {volumes{pv("a", "9Gi", on(host, "other")), pv("b", "9Gi", on(zone, "z"))}, "", "b"},
		"from elsewhere":             {volumes{pv("a", "9Gi", on(host, "other")), pv("b", "9Gi", on(zone, "y")), pv("c", "9Gi", notIn)}, "", ""},
		"by the second of two ways":  {volumes{pv("a", "9Gi", either)}, "", "a"},
		"the smallest of all":        {volumes{pv("a", "9Gi"), pv("b", "8Gi", on(zone, "z")), pv("c", "7Gi", on(host, "n"))}, "", "c"},
		"not one that is taken":      {volumes{pv("a", "9Gi", on(host, "n"))}, "a", ""},
		"not another class's":        {volumes{pv("a", "9Gi", of("slow"))}, "", ""},
		"a reserved one":             {volumes{pv("a", "6Gi"), pv("b", "9Gi", reserved("c", ""))}, "", "b"},
		"a reserved one, if only":    {volumes{pv("a", "6Gi"), pv("b", "9Gi", reserved("c", ""), on(host, "other"))}, "", ""},
		"not one reserved for other": {volumes{pv("a", "6Gi", reserved("d", ""))}, "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := NewCandidates(pvc(), test.volumes).On(node, map[string]*corev1.PersistentVolume{test.excluded: {}})
			if err != nil || name(got) != test.want {
				t.Errorf("got %q, %v; want %q", name(got), err, test.want)
			}
		})
	}
}

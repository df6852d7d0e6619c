package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/feature"
)

// gatedSpec uses every gated field of a Pod.
func gatedSpec() *corev1.PodSpec {
	user := func() *int64 { return ptr.To[int64](1000) }
	signal := func() *corev1.Lifecycle { return &corev1.Lifecycle{StopSignal: ptr.To(corev1.SIGUSR1)} }
	return &corev1.PodSpec{
		SchedulingGroup:    &corev1.PodSchedulingGroup{PodGroupName: ptr.To("A B")},
		EvictionResponders: []corev1.EvictionResponder{{Name: "example.com/a"}},
		InitContainers:     []corev1.Container{{Lifecycle: signal(), VolumeMounts: []corev1.VolumeMount{{BindMountOptions: []string{"noexec"}}}}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Mode: ptr.To(corev1.GRPCProbeModeTLS)}}},
			StartupProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Protocol: ptr.To(corev1.HTTPProtocolHTTP2)}}},
		}}},
		Containers: []corev1.Container{{Lifecycle: &corev1.Lifecycle{StopSignal: ptr.To(corev1.SIGUSR1), PreStop: &corev1.LifecycleHandler{}}}, {}},
		Volumes: []corev1.Volume{{}, {VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultUser: user(), Sources: []corev1.VolumeProjection{
			{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{User: user()}}, {PodCertificate: &corev1.PodCertificateProjection{User: user()}},
			{Secret: &corev1.SecretProjection{Items: []corev1.KeyToPath{{User: user()}}}},
		}}}}, {VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Mode: ptr.To[int32](0o755)}}}},
	}
}

func TestGatedFieldsOfPodsAreDroppedUnlessInUseOrOn(t *testing.T) {
	bare := &corev1.PodSpec{
		InitContainers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{}}}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{}}},
			StartupProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{}}},
		}}},
		Containers: []corev1.Container{{Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{}}}, {}},
		Volumes: []corev1.Volume{{}, {VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{}}, {PodCertificate: &corev1.PodCertificateProjection{}},
			{Secret: &corev1.SecretProjection{Items: []corev1.KeyToPath{{}}}},
		}}}}, {VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
	}
	all := feature.Gates{}
	for _, f := range GatedPodSpec() {
		all[f.Gate] = true
	}
	for name, c := range map[string]struct {
		gates feature.Gates
		old   *corev1.PodSpec
		want  *corev1.PodSpec
	}{
		"created":              {nil, nil, bare},
		"updated, not in use":  {nil, bare, bare},
		"updated, in use":      {nil, gatedSpec(), gatedSpec()},
		"created, features on": {all, nil, gatedSpec()},
	} {
		t.Run(name, func(t *testing.T) {
			spec := gatedSpec()
			var old **corev1.PodSpec
			if c.old != nil {
				old = &c.old
			}
			feature.Drop(c.gates, GatedPodSpec(), spec, old)
			if diff := cmp.Diff(c.want, spec); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSourcesInOtherNamespacesAreDropped(t *testing.T) {
	claim := func(namespace string) *corev1.PersistentVolumeClaimSpec {
		ref := &corev1.TypedObjectReference{Kind: "PersistentVolumeClaim", Name: "a"}
		if namespace != "" {
			ref.Namespace = &namespace
		}
		return &corev1.PersistentVolumeClaimSpec{DataSourceRef: ref}
	}
	for _, c := range []struct {
		namespace string
		old       *corev1.PersistentVolumeClaimSpec
		kept      bool
	}{{"", nil, true}, {"other", nil, false}, {"other", &corev1.PersistentVolumeClaimSpec{}, false}, {"other", claim("other"), true}} {
		spec := claim(c.namespace)
		var old **corev1.PersistentVolumeClaimSpec
		if c.old != nil {
			old = &c.old
		}
		feature.Drop(nil, GatedClaimSpec(), spec, old)
		if kept := spec.DataSourceRef != nil; kept != c.kept {
			t.Errorf("namespace %q, old %v: kept %v", c.namespace, c.old, kept)
		}
	}
}

package core

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// newPod is a valid pod, changed.
func newPod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "image:1"}}},
	}
	if change != nil {
		change(p)
	}
	DefaultPod(p)
	return p
}

// causes are the errors as clients tell them apart.
func causes(errs field.ErrorList) (all []string) {
	for _, e := range errs {
		all = append(all, string(e.Type)+" "+e.Field)
	}
	slices.Sort(all)
	return all
}

func expect(t *testing.T, got field.ErrorList, want ...string) {
	t.Helper()
	if slices.Sort(want); !slices.Equal(causes(got), want) {
		t.Errorf("got %q, want %q: %v", causes(got), want, got.ToAggregate())
	}
}

func TestValidatePod(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"minimal":       {},
		"no containers": {func(p *corev1.Pod) { p.Spec.Containers = nil }, []string{"FieldValueRequired spec.containers"}},
		"two of a name": {func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0]) }, []string{"FieldValueDuplicate spec.containers[1].name"}},
		"unknown volume": {func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		}, []string{"FieldValueNotFound spec.containers[0].volumeMounts[0].name"}},
		"way out of a volume": {func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v", SubPath: "../x"}}
		}, []string{"FieldValueInvalid spec.containers[0].volumeMounts.subPath"}},
		"two sources": {func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
				EmptyDir: &corev1.EmptyDirVolumeSource{}, Secret: &corev1.SecretVolumeSource{SecretName: "s"},
			}}}
		}, []string{"FieldValueForbidden spec.volumes[0].secret"}},
		"request above limit": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources = corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"cpu": resource.MustParse("2")}, Limits: corev1.ResourceList{"cpu": resource.MustParse("1")},
			}
		}, []string{"FieldValueInvalid spec.containers[0].resources.requests"}},
		"probe of nothing": {func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe = &corev1.Probe{} }, []string{"FieldValueRequired spec.containers[0].livenessProbe"}},
		"probe of an init container": {func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "i", ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}}}}}
		}, []string{"FieldValueForbidden spec.initContainers[0].readinessProbe"}},
		"probe of a sidecar": {func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "i", RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}}}}}
		}, nil},
		"ephemeral at once": {func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Image: "e"}}}
		}, []string{"FieldValueForbidden spec.ephemeralContainers"}},
		"gated and bound": {func(p *corev1.Pod) {
			p.Spec.NodeName, p.Spec.SchedulingGates = "n", []corev1.PodSchedulingGate{{Name: "g"}}
		}, []string{"FieldValueForbidden spec.nodeName"}},
		"image with a space": {func(p *corev1.Pod) { p.Spec.Containers[0].Image = " i" }, []string{"FieldValueInvalid spec.containers[0].image"}},
		"downward nonsense": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.x"}}}}
		}, []string{"FieldValueInvalid spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, ValidatePod(newPod(c.change)), c.want...) })
	}
}

func TestValidatePodUpdate(t *testing.T) {
	for name, c := range map[string]struct {
		old, change func(*corev1.Pod)
		want        []string
	}{
		"nothing": {},
		"image":   {change: func(p *corev1.Pod) { p.Spec.Containers[0].Image = "image:2" }},
		"command": {change: func(p *corev1.Pod) { p.Spec.Containers[0].Command = []string{"x"} }, want: []string{"FieldValueForbidden spec"}},
		"more containers": {change: func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "d", Image: "d"})
		}, want: []string{"FieldValueForbidden spec.containers"}},
		"a toleration": {change: func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} }},
		"node":         {change: func(p *corev1.Pod) { p.Spec.NodeName = "n" }, want: []string{"FieldValueForbidden spec"}},
		"selector of a gated pod": {
			old:    func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "g"}} },
			change: func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"a": "b"} },
		},
		"selector of another": {change: func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"a": "b"} }, want: []string{"FieldValueForbidden spec"}},
		"a gate":              {change: func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "g"}} }, want: []string{"FieldValueForbidden spec.schedulingGates[0].name"}},
	} {
		t.Run(name, func(t *testing.T) {
			old := newPod(c.old)
			changed := old.DeepCopy()
			if c.change != nil {
				c.change(changed)
			}
			DefaultPod(changed)
			expect(t, ValidatePodUpdate(changed, old), c.want...)
		})
	}
}

func TestComputeQOSClass(t *testing.T) {
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
	}
	for name, c := range map[string]struct {
		resources corev1.ResourceRequirements
		want      corev1.PodQOSClass
	}{
		"nothing":   {corev1.ResourceRequirements{}, corev1.PodQOSBestEffort},
		"equal":     {corev1.ResourceRequirements{Requests: list("1", "1Gi"), Limits: list("1", "1Gi")}, corev1.PodQOSGuaranteed},
		"less":      {corev1.ResourceRequirements{Requests: list("1", "1Gi"), Limits: list("2", "1Gi")}, corev1.PodQOSBurstable},
		"unlimited": {corev1.ResourceRequirements{Requests: list("1", "1Gi")}, corev1.PodQOSBurstable},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(func(p *corev1.Pod) { p.Spec.Containers[0].Resources = c.resources })
			if got := ComputeQOSClass(&p.Spec); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestEmptyResourcesOfAPodAsAWholeAreNone(t *testing.T) {
	s := &newPod(func(p *corev1.Pod) {
		p.Spec.Resources = &corev1.ResourceRequirements{}
		p.Spec.Containers[0].Resources.Requests = amounts("cpu", "1")
	}).Spec
	if got := ComputeQOSClass(s); got != corev1.PodQOSBurstable {
		t.Errorf("got %s", got)
	}
}

func TestDefaultPullPolicy(t *testing.T) {
	for image, want := range map[string]corev1.PullPolicy{
		"nginx": corev1.PullAlways, "nginx:latest": corev1.PullAlways, "nginx:1": corev1.PullIfNotPresent, "host:5000/nginx": corev1.PullAlways,
		"nginx@sha256:0123456789012345678901234567890123456789012345678901234567890123": corev1.PullIfNotPresent, "Not An Image": corev1.PullIfNotPresent,
	} {
		if got := defaultPullPolicy(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

func TestGracePeriodOfPodsIsNeverNegative(t *testing.T) {
	for given, want := range map[int64]int64{-1: 1, -30: 1, 0: 0, 5: 5} {
		p := &corev1.Pod{Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &given}}
		DefaultPod(p)
		if got := *p.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("of %d: %d, want %d", given, got, want)
		}
		template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{TerminationGracePeriodSeconds: &given}}
		DefaultPodTemplate(template)
		if got := *template.Spec.TerminationGracePeriodSeconds; got != given {
			t.Errorf("of %d in a template: %d", given, got)
		}
	}
}

package core

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodWarnings tells of what in a pod is deprecated, or surely not meant.
func PodWarnings(p *corev1.Pod) []string {
	w := podWarnings{spec: &p.Spec, meta: &p.ObjectMeta}
	return w.all()
}

// PodTemplateWarnings is PodWarnings for a template. Old is nil on create.
func PodTemplateWarnings(t, _ *corev1.PodTemplateSpec, at *field.Path) []string {
	w := podWarnings{spec: &t.Spec, meta: &t.ObjectMeta, at: at}
	return w.all()
}

// warnings collects texts.
type warnings struct{ list []string }

func (w *warnings) add(at *field.Path, format string, args ...any) {
	w.list = append(w.list, at.String()+": "+fmt.Sprintf(format, args...))
}

type podWarnings struct {
	warnings
	spec *corev1.PodSpec
	meta *metav1.ObjectMeta
	at   *field.Path // nil for pods
}

func (w *podWarnings) all() []string {
	spec := w.at.Child("spec")
	w.nodeLabels(spec)
	w.oldAnnotations(w.at.Child("metadata", "annotations"))
	w.oldVolumes(spec.Child("volumes"))
	w.overlaps()
	w.duplicates(spec)
	for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		w.fraction(spec.Child("overhead"), w.spec.Overhead, name)
	}
	w.containers(spec)
	w.ports(spec)
	if grace := w.spec.TerminationGracePeriodSeconds; grace != nil && *grace < 0 {
		w.add(spec.Child("terminationGracePeriodSeconds"), "must be >= 0; negative values are invalid and will be treated as 1")
	}
	w.nullSelectors(spec.Child("affinity"))
	if w.spec.DNSConfig != nil {
		for i, ip := range w.spec.DNSConfig.Nameservers {
			w.list = append(w.list, validation.GetWarningsForIP(spec.Child("dnsConfig", "nameservers").Index(i), ip)...)
		}
	}
	for i, alias := range w.spec.HostAliases {
		w.list = append(w.list, validation.GetWarningsForIP(spec.Child("hostAliases").Index(i).Child("ip"), alias.IP)...)
	}
	return w.list
}

var oldNodeLabels = map[string]string{
	"beta.kubernetes.io/arch":                       `deprecated since v1.14; use "kubernetes.io/arch" instead`,
	"beta.kubernetes.io/os":                         `deprecated since v1.14; use "kubernetes.io/os" instead`,
	"failure-domain.beta.kubernetes.io/region":      `deprecated since v1.17; use "topology.kubernetes.io/region" instead`,
	"failure-domain.beta.kubernetes.io/zone":        `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`,
	"beta.kubernetes.io/instance-type":              `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`,
	"app.kubernetes.io/created-by":                  `deprecated since v1.9`,
	"scheduler.alpha.kubernetes.io/preferAvoidPods": `deprecated since v1.22; use Taints and Tolerations instead`,
	"node-role.kubernetes.io/master":                `use "node-role.kubernetes.io/control-plane" instead`,
}

// NodeLabelDeprecation says what replaces a label of nodes, and whether it is deprecated at all.
func NodeLabelDeprecation(label string) (string, bool) {
	message, ok := oldNodeLabels[label]
	return message, ok
}

func (w *podWarnings) nodeLabels(at *field.Path) {
	for label := range w.spec.NodeSelector {
		if message, ok := oldNodeLabels[label]; ok {
			w.add(at.Child("nodeSelector").Key(label), "%s", message)
		}
	}
	if a := w.spec.Affinity; a != nil && a.NodeAffinity != nil {
		at := at.Child("affinity", "nodeAffinity")
		if r := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
			for i := range r.NodeSelectorTerms {
				w.nodeTerm(at.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms").Index(i), &r.NodeSelectorTerms[i], false)
			}
		}
		for i := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			t := &a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference
			w.nodeTerm(at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference"), t, true)
		}
	}
	for i, c := range w.spec.TopologySpreadConstraints {
		at := at.Child("topologySpreadConstraints").Index(i)
		if message, ok := oldNodeLabels[c.TopologyKey]; ok {
			w.add(at.Child("topologyKey"), "%s is %s", c.TopologyKey, message)
		}
		if c.LabelSelector == nil {
			w.add(at.Child("labelSelector"), nullSelector)
		}
	}
}

const nullSelector = "a null labelSelector results in matching no pod"

// nodeTerm warns of labels; values too, where validation lets impossible ones pass.
func (w *warnings) nodeTerm(at *field.Path, t *corev1.NodeSelectorTerm, values bool) {
	for i, e := range t.MatchExpressions {
		at := at.Child("matchExpressions").Index(i)
		if message, ok := oldNodeLabels[e.Key]; ok {
			w.add(at.Child("key"), "%s is %s", e.Key, message)
		}
		for j, value := range e.Values {
			if !values {
				break
			}
			for _, message := range validation.IsValidLabelValue(value) {
				w.add(at.Child("values").Index(j), "%s is invalid, %s", value, message)
			}
		}
	}
}

func (w *podWarnings) oldAnnotations(at *field.Path) {
	for _, old := range [][2]string{
		{"scheduler.alpha.kubernetes.io/critical-pod", `non-functional in v1.16+; use the "priorityClassName" field instead`},
		{"security.alpha.kubernetes.io/sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
		{"security.alpha.kubernetes.io/unsafe-sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
	} {
		if _, ok := w.meta.Annotations[old[0]]; ok {
			w.add(at.Key(old[0]), "%s", old[1])
		}
	}
	if sc := w.spec.SecurityContext; sc == nil || sc.SeccompProfile == nil {
		if _, ok := w.meta.Annotations[corev1.SeccompPodAnnotationKey]; ok {
			w.add(at.Key(corev1.SeccompPodAnnotationKey), oldSeccomp)
		}
	}
}

const oldSeccomp = `non-functional in v1.27+; use the "seccompProfile" field instead`

func (w *podWarnings) oldVolumes(at *field.Path) {
	for i := range w.spec.Volumes {
		v, at := &w.spec.Volumes[i], at.Index(i)
		for _, old := range []struct {
			name string
			set  bool
			why  string
		}{
			{"photonPersistentDisk", v.PhotonPersistentDisk != nil, "deprecated in v1.11, non-functional in v1.16+"},
			{"gitRepo", v.GitRepo != nil, "deprecated in v1.11, and disabled by default in v1.33+"},
			{"scaleIO", v.ScaleIO != nil, "deprecated in v1.16, non-functional in v1.22+"},
			{"flocker", v.Flocker != nil, "deprecated in v1.22, non-functional in v1.25+"},
			{"storageOS", v.StorageOS != nil, "deprecated in v1.22, non-functional in v1.25+"},
			{"quobyte", v.Quobyte != nil, "deprecated in v1.22, non-functional in v1.25+"},
			{"glusterfs", v.Glusterfs != nil, "deprecated in v1.25, non-functional in v1.26+"},
			{"cephfs", v.CephFS != nil, "deprecated in v1.28, non-functional in v1.31+"},
			{"rbd", v.RBD != nil, "deprecated in v1.28, non-functional in v1.31+"},
		} {
			if old.set {
				w.add(at.Child(old.name), "%s", old.why)
			}
		}
		if e := v.Ephemeral; e != nil && e.VolumeClaimTemplate != nil {
			w.claim(at.Child("ephemeral", "volumeClaimTemplate", "spec"), &e.VolumeClaimTemplate.Spec)
		}
	}
}

func (w *podWarnings) duplicates(at *field.Path) {
	seen := map[string]bool{}
	for i, alias := range w.spec.HostAliases {
		if seen[alias.IP] {
			w.add(at.Child("hostAliases").Index(i).Child("ip"), "duplicate ip %q", alias.IP)
		}
		seen[alias.IP] = true
	}
	clear(seen)
	for i, secret := range w.spec.ImagePullSecrets {
		if at := at.Child("imagePullSecrets").Index(i).Child("name"); seen[secret.Name] {
			w.add(at, "duplicate name %q", secret.Name)
		}
		seen[secret.Name] = true
	}
	for i, secret := range w.spec.ImagePullSecrets {
		if secret.Name == "" {
			w.add(at.Child("imagePullSecrets").Index(i).Child("name"), "invalid empty name %q", secret.Name)
		}
	}
}

// fraction warns of parts of bytes, which nobody can mean: 100m of memory, where 100M was meant.
func (w *warnings) fraction(at *field.Path, list corev1.ResourceList, name corev1.ResourceName) {
	if q, ok := list[name]; ok && inParts(q) {
		w.add(at.Key(string(name)), "fractional byte value %q is invalid, must be an integer", q.String())
	}
}

func inParts(q resource.Quantity) bool { return q.MilliValue()%1000 != 0 }

func (w *podWarnings) eachContainer(at *field.Path, f func(*field.Path, *corev1.Container)) {
	p := podProblems{spec: w.spec}
	p.eachContainer(at, f)
}

func (w *podWarnings) containers(at *field.Path) {
	annotations := w.at.Child("metadata", "annotations")
	w.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		if sc := c.SecurityContext; sc == nil || sc.SeccompProfile == nil {
			key := corev1.SeccompContainerAnnotationKeyPrefix + c.Name
			if _, ok := w.meta.Annotations[key]; ok {
				w.add(annotations.Key(key), oldSeccomp)
			}
		}
		// Of pods SyncAppArmor tells, before the field is set.
		if sc := c.SecurityContext; w.at != nil && (sc == nil || sc.AppArmorProfile == nil) {
			key := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + c.Name
			if a, ok := w.meta.Annotations[key]; ok && !sameProfile(annotatedProfile(a), w.spec.SecurityContext) {
				w.add(annotations.Key(key), `deprecated since v1.30; use the "appArmorProfile" field instead`)
			}
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			w.fraction(at.Child("resources", "limits"), c.Resources.Limits, name)
			w.fraction(at.Child("resources", "requests"), c.Resources.Requests, name)
		}
		w.hiddenVariables(at.Child("env"), c.Env)
	})
}

// hiddenVariables warns of variables that hide one of the same name, rather than add to it.
func (w *podWarnings) hiddenVariables(at *field.Path, vars []corev1.EnvVar) {
	seen := map[string]bool{}
	for i, v := range vars {
		if ref := "$(" + v.Name + ")"; seen[v.Name] && (v.ValueFrom != nil || v.Value == ref || !strings.Contains(v.Value, ref)) {
			w.add(at.Index(i), "hides previous definition of %q, which may be dropped when using apply", v.Name)
		}
		seen[v.Name] = true
	}
}

// ports warns of ports that are, or may be, the same.
func (w *podWarnings) ports(at *field.Path) {
	type place struct {
		at   *field.Path
		port corev1.ContainerPort
	}
	type number struct {
		port     int32
		protocol corev1.Protocol
	}
	seen := map[number][]place{}
	w.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		for i, port := range c.Ports {
			at, key := at.Child("ports").Index(i), number{port.ContainerPort, port.Protocol}
			if port.HostIP != "" && port.HostPort == 0 {
				w.add(at, "hostIP set without hostPort: %+v", port)
			}
			for _, other := range seen[key] {
				switch o := &other.port; {
				case port.HostIP == o.HostIP && port.HostPort == o.HostPort:
					w.add(at, "duplicate port definition with %s", other.at)
				case port.HostPort == 0 || o.HostPort == 0:
					w.add(at, "overlapping port definition with %s", other.at)
				case port.HostPort == o.HostPort && (port.HostIP == "") != (o.HostIP == ""):
					w.add(at, "dangerously ambiguous port definition with %s", other.at)
				}
			}
			seen[key] = append(seen[key], place{at, port})
		}
	})
	names := map[string]*field.Path{}
	w.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		for i, port := range c.Ports {
			if at := at.Child("ports").Index(i); port.Name == "" {
				continue
			} else if other, ok := names[port.Name]; ok {
				w.add(at, "duplicate port name %q with %s, services and probes that select ports by name will use %s", port.Name, other, other)
			} else {
				names[port.Name] = at
			}
		}
	})
}

func (w *podWarnings) nullSelectors(at *field.Path) {
	a := w.spec.Affinity
	if a == nil {
		return
	}
	terms := func(at *field.Path, must []corev1.PodAffinityTerm, should []corev1.WeightedPodAffinityTerm) {
		for i := range must {
			if must[i].LabelSelector == nil {
				w.add(at.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i).Child("labelSelector"), nullSelector)
			}
		}
		for i := range should {
			if should[i].PodAffinityTerm.LabelSelector == nil {
				w.add(at.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("podAffinityTerm", "labelSelector"), nullSelector)
			}
		}
	}
	if p := a.PodAffinity; p != nil {
		terms(at.Child("podAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		terms(at.Child("podAntiAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

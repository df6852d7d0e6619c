package core

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podProblems collects what is wrong with a pod or the template of one.
type podProblems struct {
	problems
	spec *corev1.PodSpec
	meta *metav1.ObjectMeta // may be nil
	// isPod is false for templates, which may leave out what the pods made from them get.
	isPod bool

	usable map[string]*corev1.Volume // by name
	claims map[string]bool           // names of spec.resourceClaims
}

// name is the pod's, if it has one yet.
func (p *podProblems) name() string {
	if !p.isPod || p.meta == nil {
		return ""
	}
	return p.meta.Name
}

// eachContainer calls f with every container and where it is.
func (p *podProblems) eachContainer(at *field.Path, f func(*field.Path, *corev1.Container)) {
	for i := range p.spec.InitContainers {
		f(at.Child("initContainers").Index(i), &p.spec.InitContainers[i])
	}
	for i := range p.spec.Containers {
		f(at.Child("containers").Index(i), &p.spec.Containers[i])
	}
	for i := range p.spec.EphemeralContainers {
		f(at.Child("ephemeralContainers").Index(i), (*corev1.Container)(&p.spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
}

// ValidatePod checks a pod that is created.
func ValidatePod(pod *corev1.Pod) field.ErrorList {
	p, at := newPodProblems(pod), field.NewPath("spec")
	p.pod()
	if len(pod.Spec.EphemeralContainers) > 0 {
		p.forbidden(at.Child("ephemeralContainers"), "cannot be set on create")
	}
	if pod.Spec.NodeName != "" && len(pod.Spec.SchedulingGates) > 0 {
		p.forbidden(at.Child("nodeName"), "cannot be set until all schedulingGates have been cleared")
	}
	p.profilesAgree(at)
	return p.list
}

func newPodProblems(pod *corev1.Pod) *podProblems {
	return &podProblems{spec: &pod.Spec, meta: &pod.ObjectMeta, isPod: true}
}

// ValidatePodSpec checks the spec of a pod's template; meta is the template's, nil for none.
func ValidatePodSpec(spec *corev1.PodSpec, meta *metav1.ObjectMeta, at *field.Path) field.ErrorList {
	p := &podProblems{spec: spec, meta: meta}
	p.podSpec(at)
	return p.list
}

// ValidatePodTemplate checks the template that a controller makes pods from: labels, annotations and the pod's spec.
func ValidatePodTemplate(t *corev1.PodTemplateSpec, at *field.Path) field.ErrorList {
	p := &podProblems{spec: &t.Spec, meta: &t.ObjectMeta}
	p.join(metav1validation.ValidateLabels(t.Labels, at.Child("labels")))
	p.join(apivalidation.ValidateAnnotations(t.Annotations, at.Child("annotations")))
	p.annotations(at.Child("annotations"))
	p.podSpec(at.Child("spec"))
	p.profilesAgree(at.Child("spec"))
	if len(t.Spec.EphemeralContainers) > 0 {
		p.forbidden(at.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")
	}
	return p.list
}

// ValidatePodTemplateObject checks a PodTemplate.
func ValidatePodTemplateObject(t *corev1.PodTemplate) field.ErrorList {
	return ValidatePodTemplate(&t.Template, field.NewPath("template"))
}

// ValidateTemplateLabels requires that a controller's selector finds the pods made from its template.
func ValidateTemplateLabels(t *corev1.PodTemplateSpec, selector labels.Selector, at *field.Path) field.ErrorList {
	if selector.Matches(labels.Set(t.Labels)) {
		return nil
	}
	return field.ErrorList{field.Invalid(at.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`")}
}

// pod checks what holds for pods on creation and on every update.
func (p *podProblems) pod() {
	at := field.NewPath("spec")
	p.annotations(field.NewPath("metadata", "annotations"))
	p.podSpec(at)
	if p.spec.ServiceAccountName == "" {
		for i, v := range p.spec.Volumes {
			if v.Projected == nil {
				continue
			}
			for j, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil {
					p.forbidden(at.Child("volumes").Index(i).Child("projected", "sources").Index(j).Child("serviceAccountToken"), "must not be specified when serviceAccountName is not set")
				}
			}
		}
	}
	for i := range p.spec.Containers {
		p.trimmedImage(at.Child("containers").Index(i), &p.spec.Containers[i])
	}
	for i := range p.spec.InitContainers {
		p.trimmedImage(at.Child("initContainers").Index(i), &p.spec.InitContainers[i])
	}
}

// annotations checks those that mean something for pods.
func (p *podProblems) annotations(at *field.Path) {
	all := p.meta.Annotations
	if len(all) == 0 {
		return
	}
	if value, mirror := all[corev1.MirrorPodAnnotationKey]; mirror && p.spec.NodeName == "" {
		p.invalid(at.Key(corev1.MirrorPodAnnotationKey), value, "must set spec.nodeName if mirror pod annotation is set")
	}
	if text := all[corev1.TolerationsAnnotationKey]; text != "" {
		var tolerations []corev1.Toleration
		if err := json.Unmarshal([]byte(text), &tolerations); err != nil {
			p.invalid(at, corev1.TolerationsAnnotationKey, err.Error())
		}
		p.tolerations(at.Child(corev1.TolerationsAnnotationKey), tolerations)
	}
	if cost, ok := all[corev1.PodDeletionCost]; ok && !isDeletionCost(cost) {
		p.invalid(at.Key(corev1.PodDeletionCost), cost, "must be a 32bit integer")
	}
	p.profileAnnotations(at, all)
}

// isDeletionCost refuses numbers that other languages would read differently.
func isDeletionCost(text string) bool {
	if strings.HasPrefix(text, "+") || text != "0" && strings.HasPrefix(strings.TrimPrefix(text, "-"), "0") {
		return false
	}
	_, err := strconv.ParseInt(text, 10, 32)
	return err == nil
}

func (p *podProblems) podSpec(at *field.Path) {
	s := p.spec
	if s.TerminationGracePeriodSeconds == nil {
		p.required(at.Child("terminationGracePeriodSeconds"), "")
	}
	p.volumes(at.Child("volumes"))
	p.resourceClaims(at.Child("resourceClaims"))
	p.containers(at.Child("containers"))
	p.initContainers(at.Child("initContainers"))
	p.ephemeralContainers(at.Child("ephemeralContainers"))
	p.podResources(at.Child("resources"))
	p.hostNetworkPorts(at.Child("containers"))
	requiredOneOf(&p.problems, at.Child("restartPolicy"), s.RestartPolicy, corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)
	requiredOneOf(&p.problems, at.Child("dnsPolicy"), s.DNSPolicy, corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)
	p.join(metav1validation.ValidateLabels(s.NodeSelector, at.Child("nodeSelector")))
	p.podSecurity(at.Child("securityContext"), s.SecurityContext)
	if s.Affinity != nil {
		p.affinity(at.Child("affinity"), s.Affinity)
	}
	p.dns(at.Child("dnsConfig"))
	p.gates(at)
	p.topologySpread(at.Child("topologySpreadConstraints"), s.TopologySpreadConstraints)
	p.hostProcess(at)
	p.hostUsers(at)
	p.hostnameOverride(at)
	p.podNames(at)
	p.tolerations(at.Child("tolerations"), s.Tolerations)
	for i, alias := range s.HostAliases {
		at := at.Child("hostAliases").Index(i)
		p.ip(at.Child("ip"), alias.IP, nil)
		for j, name := range alias.Hostnames {
			p.subdomain(at.Child("hostnames").Index(j), name)
		}
	}
	p.priorityAndClass(at)
	if s.Overhead != nil {
		p.containerResources(at.Child("overhead"), &corev1.ResourceRequirements{Limits: s.Overhead})
	}
	p.os(at)
	p.fileKeyVolumes(at)
}

// podNames checks the names of other things in the spec, and numbers.
func (p *podProblems) podNames(at *field.Path) {
	s := p.spec
	if s.ServiceAccountName != "" {
		p.subdomain(at.Child("serviceAccountName"), s.ServiceAccountName)
	}
	if s.NodeName != "" {
		p.subdomain(at.Child("nodeName"), s.NodeName)
	}
	if n := s.ActiveDeadlineSeconds; n != nil && (*n < 1 || *n > math.MaxInt32) {
		p.invalid(at.Child("activeDeadlineSeconds"), *n, validation.InclusiveRangeError(1, math.MaxInt32))
	}
	if s.Hostname != "" {
		p.label(at.Child("hostname"), s.Hostname)
	}
	if s.Subdomain != "" {
		p.label(at.Child("subdomain"), s.Subdomain)
	}
}

func (p *podProblems) priorityAndClass(at *field.Path) {
	s := p.spec
	if s.PriorityClassName != "" {
		p.subdomain(at.Child("priorityClassName"), s.PriorityClassName)
	}
	if s.RuntimeClassName != nil {
		p.subdomain(at.Child("runtimeClassName"), *s.RuntimeClassName)
	}
	if s.PreemptionPolicy != nil {
		requiredOneOf(&p.problems, at.Child("preemptionPolicy"), *s.PreemptionPolicy, corev1.PreemptLowerPriority, corev1.PreemptNever)
	}
}

func (p *podProblems) resourceClaims(at *field.Path) {
	p.claims = map[string]bool{}
	for _, c := range p.spec.ResourceClaims {
		if c.Name != "" {
			p.claims[c.Name] = true
		}
	}
	seen := map[string]bool{}
	for i, c := range p.spec.ResourceClaims {
		at := at.Index(i)
		if p.isPod && p.meta != nil {
			if _, mirror := p.meta.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
				p.forbidden(field.NewPath(""), "static pods do not support resource claims")
				continue
			}
		}
		switch {
		case c.Name == "":
			p.required(at.Child("name"), "")
		case seen[c.Name]:
			p.duplicate(at.Child("name"), c.Name)
		default:
			p.label(at.Child("name"), c.Name)
			seen[c.Name] = true
		}
		switch claim, template := c.ResourceClaimName != nil, c.ResourceClaimTemplateName != nil; {
		case claim && template:
			p.invalid(at, c, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
		case !claim && !template:
			p.invalid(at, c, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
		}
		if c.ResourceClaimName != nil {
			p.subdomain(at.Child("resourceClaimName"), *c.ResourceClaimName)
		}
		if c.ResourceClaimTemplateName != nil {
			p.subdomain(at.Child("resourceClaimTemplateName"), *c.ResourceClaimTemplateName)
		}
	}
}

// hostNetworkPorts: on the node's network a container's port is the node's. A template may leave it out.
func (p *podProblems) hostNetworkPorts(at *field.Path) {
	if !p.spec.HostNetwork {
		return
	}
	for i := range p.spec.Containers {
		for j, port := range p.spec.Containers[i].Ports {
			if (p.isPod || port.HostPort != 0) && port.HostPort != port.ContainerPort {
				p.invalid(at.Index(i).Child("ports").Index(j).Child("hostPort"), port.HostPort, "must match `containerPort` when `hostNetwork` is true")
			}
		}
	}
}

func (p *podProblems) dns(at *field.Path) {
	c := p.spec.DNSConfig
	if p.spec.DNSPolicy == corev1.DNSNone {
		if c == nil {
			p.required(at, fmt.Sprintf("must provide `dnsConfig` when `dnsPolicy` is %s", corev1.DNSNone))
			return
		}
		if len(c.Nameservers) == 0 {
			p.required(at.Child("nameservers"), fmt.Sprintf("must provide at least one DNS nameserver when `dnsPolicy` is %s", corev1.DNSNone))
			return
		}
	}
	if c == nil {
		return
	}
	// The bounds are those of common resolvers.
	const maxServers, maxSearches, maxCharacters = 3, 32, 2048
	if len(c.Nameservers) > maxServers {
		p.invalid(at.Child("nameservers"), c.Nameservers, fmt.Sprintf("must not have more than %v nameservers", maxServers))
	}
	for i, server := range c.Nameservers {
		p.ip(at.Child("nameservers").Index(i), server, nil)
	}
	if len(c.Searches) > maxSearches {
		p.invalid(at.Child("searches"), c.Searches, fmt.Sprintf("must not have more than %v search paths", maxSearches))
	}
	if len(strings.Join(c.Searches, " ")) > maxCharacters {
		p.invalid(at.Child("searches"), c.Searches, fmt.Sprintf("must not have more than %v characters (including spaces) in the search list", maxCharacters))
	}
	for i, search := range c.Searches {
		if search != "." {
			search = strings.TrimSuffix(search, ".")
			p.invalid(at.Child("searches").Index(i), search, validation.IsDNS1123SubdomainWithUnderscore(search)...)
		}
	}
	for i, option := range c.Options {
		if option.Name == "" {
			p.required(at.Child("options").Index(i), "must not be empty")
		}
	}
}

func (p *podProblems) gates(at *field.Path) {
	for i, gate := range p.spec.ReadinessGates {
		p.qualifiedName(at.Child("readinessGates").Index(i).Child("conditionType"), string(gate.ConditionType))
	}
	seen := map[string]bool{}
	for i, gate := range p.spec.SchedulingGates {
		at := at.Child("schedulingGates").Index(i)
		p.qualifiedName(at, gate.Name)
		if seen[gate.Name] {
			p.duplicate(at, gate.Name)
		}
		seen[gate.Name] = true
	}
}

func (p *podProblems) hostUsers(at *field.Path) {
	s := p.spec
	if s.HostUsers == nil || *s.HostUsers {
		return
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"hostNetwork", s.HostNetwork}, {"HostPID", s.HostPID}, {"HostIPC", s.HostIPC}} {
		if f.set {
			p.forbidden(at.Child(f.name), "when `hostUsers` is false")
		}
	}
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		if len(c.VolumeDevices) > 0 {
			p.forbidden(at.Child("volumeDevices"), "when `hostUsers` is false")
		}
	})
}

func (p *podProblems) hostnameOverride(at *field.Path) {
	name := p.spec.HostnameOverride
	if name == nil {
		return
	}
	at = at.Child("hostnameOverride")
	if isTrue(p.spec.SetHostnameAsFQDN) {
		p.forbidden(at, "may not be specified when setHostnameAsFQDN is true")
	}
	if p.spec.HostNetwork {
		p.forbidden(at, "may not be specified when hostNetwork is true")
	}
	if len(*name) > 64 {
		p.list = append(p.list, field.TooLong(at, "", 64))
	}
	p.subdomain(at, *name)
}

// fileKeyVolumes: files from which variables come are in emptyDirs.
func (p *podProblems) fileKeyVolumes(at *field.Path) {
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		for i := range c.Env {
			if c.Env[i].ValueFrom == nil || c.Env[i].ValueFrom.FileKeyRef == nil {
				continue
			}
			name, at := c.Env[i].ValueFrom.FileKeyRef.VolumeName, at.Child("env").Index(i).Child("valueFrom", "fileKeyRef", "volumeName")
			found, empty := false, false
			for j := range p.spec.Volumes {
				if v := &p.spec.Volumes[j]; v.Name == name {
					found, empty = true, v.EmptyDir != nil
				}
			}
			switch {
			case !found:
				p.list = append(p.list, field.NotFound(at, name))
			case !empty:
				p.invalid(at, name, "referenced volume must be of type emptyDir")
			}
		}
	})
}

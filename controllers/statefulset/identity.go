package statefulset

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

// hashLabel is the label of revisions with their hash; Pods carry the whole name of theirs.
const hashLabel = "controller.kubernetes.io/hash"

// longestPrefix leaves room for the hash in a revision's name.
const longestPrefix = 223

// revisionOf is the revision of the set's present template, as it would be named after so many collisions. Hash and
// name are upstream's.
func revisionOf(set *appsv1.StatefulSet, data runtime.RawExtension, collisions int32) *appsv1.ControllerRevision {
	hasher := fnv.New32()
	hasher.Write(data.Raw)
	hasher.Write([]byte(strconv.FormatInt(int64(collisions), 10)))
	hash := rand.SafeEncodeString(fmt.Sprint(hasher.Sum32()))
	revision := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: set.Namespace, Name: set.Name[:min(len(set.Name), longestPrefix)] + "-" + hash,
			Labels: maps.Clone(set.Spec.Template.Labels), Annotations: maps.Clone(set.Annotations),
			OwnerReferences: []metav1.OwnerReference{owned.Reference(set, kind)},
		},
		Data: data,
	}
	if revision.Labels == nil {
		revision.Labels = map[string]string{}
	}
	revision.Labels[hashLabel] = hash
	return revision
}

// templateOf is the template that a revision holds.
func templateOf(revision *appsv1.ControllerRevision) (corev1.PodTemplateSpec, error) {
	var patch struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(revision.Data.Raw, &patch); err != nil {
		return corev1.PodTemplateSpec{}, fmt.Errorf("reading revision %s: %w", revision.Name, err)
	}
	return patch.Spec.Template, nil
}

func firstOrdinal(set *appsv1.StatefulSet) int {
	if set.Spec.Ordinals == nil {
		return 0
	}
	return int(set.Spec.Ordinals.Start)
}

func podName(set *appsv1.StatefulSet, ordinal int) string {
	return fmt.Sprintf("%s-%d", set.Name, ordinal)
}

// ordinalOf is the number of one of the set's Pods; -1 for a Pod with another name.
func ordinalOf(set *appsv1.StatefulSet, pod *corev1.Pod) int {
	number, ok := strings.CutPrefix(pod.Name, set.Name+"-")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || podName(set, int(n)) != pod.Name {
		return -1
	}
	return int(n)
}

func revisionName(pod *corev1.Pod) string { return pod.Labels[appsv1.ControllerRevisionHashLabelKey] }

// podFor is the set's Pod with the number, made of a revision's template.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
func podFor(set *appsv1.StatefulSet, template *corev1.PodTemplateSpec, revision string, ordinal int) *corev1.Pod {
	pod := podset.FromTemplate(template, set, kind)
	pod.GenerateName, pod.Name = "", podName(set, ordinal)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	maps.Copy(pod.Labels, labelsFor(set, pod.Name))
	pod.Labels[appsv1.ControllerRevisionHashLabelKey] = revision
	pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, set.Spec.ServiceName
	mountClaims(set, pod, ordinal)
	return pod
}

// labelsFor are the labels that tell which Pod of the set one of the name is.
func labelsFor(set *appsv1.StatefulSet, name string) map[string]string {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return map[string]string{appsv1.StatefulSetPodNameLabel: name, appsv1.PodIndexLabel: strconv.Itoa(ordinalOf(set, pod))}
}

func isLabelled(set *appsv1.StatefulSet, pod *corev1.Pod) bool {
	for key, value := range labelsFor(set, pod.Name) {
		if pod.Labels[key] != value {
			return false
		}
	}
	return true
}

// mountClaims puts the Pod's claims in the place of volumes of the same names.
func mountClaims(set *appsv1.StatefulSet, pod *corev1.Pod, ordinal int) {
	var volumes []corev1.Volume
	for i := range set.Spec.VolumeClaimTemplates {
		name := set.Spec.VolumeClaimTemplates[i].Name
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(set, name, ordinal)},
		}})
	}
	for _, volume := range pod.Spec.Volumes {
		if !slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.Name == volume.Name }) {
			volumes = append(volumes, volume)
		}
	}
	pod.Spec.Volumes = volumes
}

func claimName(set *appsv1.StatefulSet, template string, ordinal int) string {
	return fmt.Sprintf("%s-%s-%d", template, set.Name, ordinal)
}

// claimsFor are the claims of the Pod with the number.
func claimsFor(set *appsv1.StatefulSet, ordinal int) []*corev1.PersistentVolumeClaim {
	var claims []*corev1.PersistentVolumeClaim
	for i := range set.Spec.VolumeClaimTemplates {
		claim := set.Spec.VolumeClaimTemplates[i].DeepCopy()
		claim.Namespace, claim.Name = set.Namespace, claimName(set, claim.Name, ordinal)
		if claim.Labels == nil {
			claim.Labels = map[string]string{}
		}
		maps.Copy(claim.Labels, set.Spec.Selector.MatchLabels)
		claims = append(claims, claim)
	}
	return claims
}

// retention returns a claim's owners as the set's policy wants them: the set where the claim goes with it, the Pod where
// it goes because the set was made smaller. A claim of a former set or Pod is on its way out and stays as it is; one that
// something else controls belongs to that.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
func retention(set *appsv1.StatefulSet, pod *corev1.Pod, condemned bool, refs []metav1.OwnerReference) []metav1.OwnerReference {
	asSet, asPod := owned.Reference(set, kind), owned.Reference(pod, podKind)
	if hasFormer(refs, asSet) || hasFormer(refs, asPod) {
		return refs
	}
	policy := set.Spec.PersistentVolumeClaimRetentionPolicy
	whenDeleted := policy != nil && policy.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	var wanted []metav1.OwnerReference
	switch {
	case deletedWhenScaled(set) && condemned:
		wanted = []metav1.OwnerReference{asPod}
	case whenDeleted:
		wanted = []metav1.OwnerReference{asSet}
	}
	var others []metav1.OwnerReference
	for _, ref := range refs {
		if ref.UID == set.UID || ref.UID == pod.UID {
			continue
		}
		others = append(others, ref)
		if ptr.Deref(ref.Controller, false) {
			wanted = nil
		}
	}
	return append(others, wanted...)
}

func deletedWhenScaled(set *appsv1.StatefulSet) bool {
	policy := set.Spec.PersistentVolumeClaimRetentionPolicy
	return policy != nil && policy.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
}

// hasFormer reports whether refs name an object of the owner's kind and name that is not it.
func hasFormer(refs []metav1.OwnerReference, owner metav1.OwnerReference) bool {
	return slices.ContainsFunc(refs, func(ref metav1.OwnerReference) bool {
		return ref.APIVersion == owner.APIVersion && ref.Kind == owner.Kind && ref.Name == owner.Name && ref.UID != owner.UID
	})
}

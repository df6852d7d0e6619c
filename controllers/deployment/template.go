package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podset"
)

const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	historyAnnotation  = "deployment.kubernetes.io/revision-history"
	desiredAnnotation  = "deployment.kubernetes.io/desired-replicas"
	maxAnnotation      = "deployment.kubernetes.io/max-replicas"

	// maxHistory is the most characters that historyAnnotation may have.
	maxHistory = 2000
)

// notInherited are the annotations of a Deployment that its ReplicaSets do not get.
var notInherited = []string{
	corev1.LastAppliedConfigAnnotation, revisionAnnotation, historyAnnotation, desiredAnnotation, maxAnnotation,
	appsv1.DeprecatedRollbackTo,
}

// sameTemplate compares two templates but for the hash label.
func sameTemplate(a, b *corev1.PodTemplateSpec) bool {
	return apiequality.Semantic.DeepEqual(withoutHash(a), withoutHash(b))
}

func withoutHash(template *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	plain := *template
	plain.Labels = maps.Clone(template.Labels)
	delete(plain.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return &plain
}

// syncCurrent brings the current ReplicaSet's annotations and minReadySeconds up to date.
func (r *rollout) syncCurrent() {
	if r.current == nil {
		return
	}
	r.inherit(r.current, r.nextRevision())
	r.current.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
	r.plan.revision = r.current.Annotations[revisionAnnotation]
	if hasDeadline(r.d) && getCondition(&r.base, appsv1.DeploymentProgressing) == nil {
		r.note(corev1.ConditionTrue, reasonFound, fmt.Sprintf("Found new replica set %q", r.current.Name))
	}
}

// ensureCurrent plans the creation of the current ReplicaSet if there is none.
func (r *rollout) ensureCurrent() {
	if r.current != nil {
		return
	}
	template := r.d.Spec.Template.DeepCopy()
	hash := podset.TemplateHash(template, r.d.Status.CollisionCount)
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	selector := r.d.Spec.Selector.DeepCopy()
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	selector.MatchLabels[appsv1.DefaultDeploymentUniqueLabelKey] = hash

	r.isNew = true
	r.current = &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: setName(r.d.Name, hash), Namespace: r.d.Namespace, Labels: maps.Clone(template.Labels),
			OwnerReferences: []metav1.OwnerReference{owned.Reference(r.d, kind)},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To[int32](0), MinReadySeconds: r.d.Spec.MinReadySeconds, Selector: selector, Template: *template,
		},
	}
	r.plan.revision = r.nextRevision()
	r.inherit(r.current, r.plan.revision)
	r.resize(r.current, r.grown())
	if hasDeadline(r.d) {
		r.note(corev1.ConditionTrue, reasonCreated, fmt.Sprintf("Created new replica set %q", r.current.Name))
	}
}

func setName(deployment, hash string) string {
	if longest := validation.DNS1123SubdomainMaxLength - len("-") - len(hash); len(deployment) > longest {
		deployment = deployment[:longest]
	}
	return deployment + "-" + hash
}

// nextRevision is one more than the highest among old ReplicaSets.
func (r *rollout) nextRevision() string {
	var highest int64
	for _, set := range r.old {
		if n, ok := revision(set); ok {
			highest = max(highest, n)
		}
	}
	return strconv.FormatInt(highest+1, 10)
}

// revision is zero for a ReplicaSet that has none; ok is false where it is not a number.
func revision(set *appsv1.ReplicaSet) (n int64, ok bool) {
	text, has := set.Annotations[revisionAnnotation]
	if !has || text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// inherit copies the Deployment's annotations to its current ReplicaSet and raises that one's revision to next. A
// revision that was current before goes into the history.
func (r *rollout) inherit(set *appsv1.ReplicaSet, next string) {
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	for key, value := range r.d.Annotations {
		if !slices.Contains(notInherited, key) {
			set.Annotations[key] = value
		}
	}
	was, ok := revision(set)
	to, err := strconv.ParseInt(next, 10, 64)
	if !ok || err != nil || was >= to {
		return
	}
	if old, had := set.Annotations[revisionAnnotation]; had {
		appendHistory(set, old)
	}
	set.Annotations[revisionAnnotation] = next
}

// appendHistory drops the oldest entries where the annotation would become too long.
func appendHistory(set *appsv1.ReplicaSet, old string) {
	history := set.Annotations[historyAnnotation]
	if history == "" {
		set.Annotations[historyAnnotation] = old
		return
	}
	entries := append(strings.Split(history, ","), old)
	for len(entries) > 1 && len(strings.Join(entries, ",")) > maxHistory {
		entries = entries[1:]
	}
	set.Annotations[historyAnnotation] = strings.Join(entries, ",")
}

// sameSet compares what this controller writes.
func sameSet(a, b *appsv1.ReplicaSet) bool {
	return size(a) == size(b) && a.Spec.MinReadySeconds == b.Spec.MinReadySeconds && maps.Equal(a.Annotations, b.Annotations)
}

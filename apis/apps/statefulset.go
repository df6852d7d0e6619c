package apps

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultStatefulSet makes one replica, started and replaced in order, whose volumes are kept.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
func DefaultStatefulSet(s *appsv1.StatefulSet) {
	core.DefaultPodTemplate(&s.Spec.Template)
	orDefault(&s.Spec.Replicas, 1)
	orDefault(&s.Spec.RevisionHistoryLimit, historyLimit)
	if s.Spec.PodManagementPolicy == "" {
		s.Spec.PodManagementPolicy = appsv1.OrderedReadyPodManagement
	}
	strategy := &s.Spec.UpdateStrategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateStatefulSetStrategyType
		orDefault(&strategy.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
	}
	if strategy.Type == appsv1.RollingUpdateStatefulSetStrategyType && strategy.RollingUpdate != nil {
		orDefault(&strategy.RollingUpdate.Partition, 0)
		orDefault(&strategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
	}
	orDefault(&s.Spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	retention := s.Spec.PersistentVolumeClaimRetentionPolicy
	for _, policy := range []*appsv1.PersistentVolumeClaimRetentionPolicyType{&retention.WhenDeleted, &retention.WhenScaled} {
		if *policy == "" {
			*policy = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
		}
	}
	for i := range s.Spec.VolumeClaimTemplates {
		claim := &s.Spec.VolumeClaimTemplates[i]
		claim.APIVersion, claim.Kind = "v1", "PersistentVolumeClaim"
		core.DefaultClaimSpec(&claim.Spec)
		if claim.Status.Phase == "" {
			claim.Status.Phase = corev1.ClaimPending
		}
	}
}

// ValidateStatefulSet checks a new stateful set.
func ValidateStatefulSet(s *appsv1.StatefulSet) (errs field.ErrorList) {
	for i := range s.Spec.VolumeClaimTemplates {
		errs = append(errs, core.ValidateClaimSpec(&s.Spec.VolumeClaimTemplates[i].Spec, spec.Child("volumeClaimTemplates").Index(i).Child("spec"))...)
	}
	errs = append(errs, validateStatefulSet(&s.Spec)...)
	if s.Spec.ServiceName != "" {
		errs = append(errs, rule.DNSLabel(s.Spec.ServiceName, spec.Child("serviceName"))...)
	}
	return errs
}

// ValidateStatefulSetUpdate lets few fields change. What is immutable is not checked again.
func ValidateStatefulSetUpdate(s, old *appsv1.StatefulSet) field.ErrorList {
	errs, now, was := validateStatefulSet(&s.Spec), &s.Spec, &old.Spec
	errs = append(errs, rule.Immutable(now.Selector, was.Selector, spec.Child("selector"))...)
	errs = append(errs, rule.Immutable(now.VolumeClaimTemplates, was.VolumeClaimTemplates, spec.Child("volumeClaimTemplates"))...)
	errs = append(errs, rule.Immutable(now.ServiceName, was.ServiceName, spec.Child("serviceName"))...)
	errs = append(errs, rule.Immutable(now.PodManagementPolicy, was.PodManagementPolicy, spec.Child("podManagementPolicy"))...)
	return errs
}

func validateStatefulSet(s *appsv1.StatefulSetSpec) field.ErrorList {
	errs := slices.Concat(
		validatePodManagement(s.PodManagementPolicy, spec.Child("podManagementPolicy")),
		validateStatefulStrategy(&s.UpdateStrategy, spec.Child("updateStrategy")),
		validateRetention(s.PersistentVolumeClaimRetentionPolicy, spec.Child("persistentVolumeClaimRetentionPolicy")),
		rule.NonNegativeIfSet(s.Replicas, spec.Child("replicas")),
		rule.NonNegative(s.MinReadySeconds, spec.Child("minReadySeconds")),
	)
	if s.Ordinals != nil {
		errs = append(errs, rule.NonNegative(s.Ordinals.Start, spec.Child("ordinals.start"))...)
	}
	errs = append(errs, validateSelector(s.Selector, "statefulset", spec.Child("selector"))...)
	match, parsed := validateMatch(s.Selector, &s.Template, spec, "")
	if errs = append(errs, match...); parsed {
		template := spec.Child("template")
		errs = append(errs, core.ValidatePodTemplate(withClaims(s), template)...)
		// once more: clients count causes
		errs = append(errs, metav1validation.ValidateLabels(s.Template.Labels, template.Child("labels"))...)
		errs = append(errs, apivalidation.ValidateAnnotations(s.Template.Annotations, template.Child("annotations"))...)
	}
	return append(errs, validateEndless(&s.Template.Spec, "StatefulSet", spec.Child("template", "spec"))...)
}

// withClaims is the template as the controller will use it: named, and with a volume for each claim.
func withClaims(s *appsv1.StatefulSetSpec) *corev1.PodTemplateSpec {
	t := s.Template.DeepCopy()
	t.Spec.Subdomain, t.Spec.Hostname = "", ""
	var volumes []corev1.Volume
	claims := map[string]bool{}
	for _, c := range s.VolumeClaimTemplates {
		if claims[c.Name] {
			continue
		}
		claims[c.Name] = true
		volumes = append(volumes, corev1.Volume{Name: c.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: c.Name},
		}})
	}
	for _, v := range t.Spec.Volumes {
		if !claims[v.Name] {
			volumes = append(volumes, v)
		}
	}
	t.Spec.Volumes = volumes
	return t
}

func validatePodManagement(p appsv1.PodManagementPolicyType, at *field.Path) field.ErrorList {
	switch p {
	case appsv1.OrderedReadyPodManagement, appsv1.ParallelPodManagement:
		return nil
	case "":
		return field.ErrorList{field.Required(at, "")}
	}
	return field.ErrorList{field.Invalid(at, p, "must be 'OrderedReady' or 'Parallel'")}
}

func validateStatefulStrategy(s *appsv1.StatefulSetUpdateStrategy, at *field.Path) field.ErrorList {
	switch s.Type {
	case "":
		return field.ErrorList{field.Required(at, "")}
	case appsv1.OnDeleteStatefulSetStrategyType:
		if s.RollingUpdate != nil {
			return field.ErrorList{field.Invalid(at.Child("rollingUpdate"), s.RollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")}
		}
		return nil
	case appsv1.RollingUpdateStatefulSetStrategyType:
		return validateRollingStateful(s.RollingUpdate, at.Child("rollingUpdate"))
	}
	return field.ErrorList{field.Invalid(at, s, "must be 'RollingUpdate' or 'OnDelete'")}
}

func validateRollingStateful(u *appsv1.RollingUpdateStatefulSetStrategy, at *field.Path) field.ErrorList {
	if u == nil {
		return nil
	}
	errs := rule.NonNegativeIfSet(u.Partition, at.Child("partition"))
	if n, at := u.MaxUnavailable, at.Child("maxUnavailable"); n != nil {
		errs = append(errs, rule.IntOrPercent(*n, at)...)
		if rule.Amount(*n) == 0 {
			errs = append(errs, field.Invalid(at, *n, "cannot be 0"))
		}
		errs = append(errs, rule.AtMost100Percent(*n, at)...)
	}
	return errs
}

func validateRetention(p *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy, at *field.Path) field.ErrorList {
	if p == nil {
		return nil
	}
	const retain, remove = appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	return append(rule.OneOf(p.WhenDeleted, at.Child("whenDeleted"), retain, remove), rule.OneOf(p.WhenScaled, at.Child("whenScaled"), retain, remove)...)
}

// ValidateStatefulSetStatus checks that the counts fit one another.
func ValidateStatefulSetStatus(set, old *appsv1.StatefulSet) field.ErrorList {
	s := &set.Status
	return slices.Concat(
		rule.NonNegative(s.Replicas, status.Child("replicas")),
		rule.NonNegative(s.ReadyReplicas, status.Child("readyReplicas")),
		rule.NonNegative(s.CurrentReplicas, status.Child("currentReplicas")),
		rule.NonNegative(s.UpdatedReplicas, status.Child("updatedReplicas")),
		rule.NonNegative(s.AvailableReplicas, status.Child("availableReplicas")),
		rule.NonNegative(s.ObservedGeneration, status.Child("observedGeneration")),
		rule.NonNegativeIfSet(s.CollisionCount, status.Child("collisionCount")),
		atMost(s.ReadyReplicas, s.Replicas, status.Child("readyReplicas"), "status.replicas"),
		atMost(s.CurrentReplicas, s.Replicas, status.Child("currentReplicas"), "status.replicas"),
		atMost(s.UpdatedReplicas, s.Replicas, status.Child("updatedReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.Replicas, status.Child("availableReplicas"), "status.replicas"),
		atMost(s.AvailableReplicas, s.ReadyReplicas, status.Child("availableReplicas"), "status.readyReplicas"),
		validateCollisions(s.CollisionCount, old.Status.CollisionCount),
	)
}

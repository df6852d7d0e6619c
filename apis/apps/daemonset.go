package apps

import (
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/apis/rule"
)

// DefaultDaemonSet replaces one pod at a time.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
func DefaultDaemonSet(ds *appsv1.DaemonSet) {
	core.DefaultPodTemplate(&ds.Spec.Template)
	orDefault(&ds.Spec.RevisionHistoryLimit, historyLimit)
	strategy := &ds.Spec.UpdateStrategy
	if strategy.Type == "" {
		strategy.Type = appsv1.RollingUpdateDaemonSetStrategyType
	}
	if strategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		orDefault(&strategy.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		orDefault(&strategy.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		orDefault(&strategy.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
}

// CountTemplates keeps, in an annotation, the number of templates that the daemon set has had. old is nil for a new one.
// What the client says is ignored on update.
func CountTemplates(ds, old *appsv1.DaemonSet) {
	n := templateGeneration(ds)
	switch {
	case old == nil:
		n = max(n, 1)
	case apiequality.Semantic.DeepEqual(ds.Spec.Template, old.Spec.Template):
		n = templateGeneration(old)
	default:
		n = templateGeneration(old) + 1
	}
	if ds.Annotations == nil {
		ds.Annotations = map[string]string{}
	}
	ds.Annotations[appsv1.DeprecatedTemplateGeneration] = strconv.FormatInt(n, 10)
}

func templateGeneration(ds *appsv1.DaemonSet) int64 {
	n, _ := strconv.ParseInt(ds.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64)
	return n
}

// ValidateDaemonSet checks the spec.
func ValidateDaemonSet(ds *appsv1.DaemonSet) field.ErrorList {
	s := &ds.Spec
	errs := rule.Selector(s.Selector, spec.Child("selector"))
	if selector, err := metav1.LabelSelectorAsSelector(s.Selector); err == nil && !selector.Matches(labels.Set(s.Template.Labels)) {
		errs = append(errs, field.Invalid(spec.Child("template", "metadata", "labels"), s.Template.Labels, "`selector` does not match template `labels`"))
	}
	if s.Selector != nil && len(s.Selector.MatchLabels)+len(s.Selector.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(spec.Child("selector"), s.Selector, "empty selector is invalid for daemonset"))
	}
	return slices.Concat(errs,
		core.ValidatePodTemplate(&s.Template, spec.Child("template")),
		validateEndless(&s.Template.Spec, "DaemonSet", spec.Child("template", "spec")),
		rule.NonNegative(s.MinReadySeconds, spec.Child("minReadySeconds")),
		validateDaemonStrategy(&s.UpdateStrategy, spec.Child("updateStrategy")),
		rule.NonNegativeIfSet(s.RevisionHistoryLimit, spec.Child("revisionHistoryLimit")),
	)
}

func validateDaemonStrategy(s *appsv1.DaemonSetUpdateStrategy, at *field.Path) field.ErrorList {
	switch s.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case appsv1.RollingUpdateDaemonSetStrategyType:
		return validateRollingDaemons(s.RollingUpdate, at.Child("rollingUpdate"))
	}
	return field.ErrorList{field.NotSupported(at, s, []string{string(appsv1.RollingUpdateDaemonSetStrategyType), string(appsv1.OnDeleteDaemonSetStrategyType)})}
}

func validateRollingDaemons(u *appsv1.RollingUpdateDaemonSet, at *field.Path) field.ErrorList {
	if u == nil || u.MaxUnavailable == nil || u.MaxSurge == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	unavailable, surge := at.Child("maxUnavailable"), at.Child("maxSurge")
	errs := slices.Concat(
		rule.IntOrPercent(*u.MaxUnavailable, unavailable), rule.IntOrPercent(*u.MaxSurge, surge),
		rule.AtMost100Percent(*u.MaxUnavailable, unavailable), rule.AtMost100Percent(*u.MaxSurge, surge),
	)
	switch hasUnavailable, hasSurge := rule.Amount(*u.MaxUnavailable) != 0, rule.Amount(*u.MaxSurge) != 0; {
	case hasUnavailable && hasSurge:
		errs = append(errs, field.Invalid(surge, *u.MaxSurge, "may not be set when maxUnavailable is non-zero"))
	case !hasUnavailable && !hasSurge:
		errs = append(errs, field.Required(unavailable, "cannot be 0 when maxSurge is 0"))
	}
	return errs
}

// ValidateDaemonSetUpdate keeps the selector.
func ValidateDaemonSetUpdate(ds, old *appsv1.DaemonSet) field.ErrorList {
	return rule.Immutable(ds.Spec.Selector, old.Spec.Selector, spec.Child("selector"))
}

// ValidateDaemonSetStatus checks the counts.
func ValidateDaemonSetStatus(ds, old *appsv1.DaemonSet) field.ErrorList {
	s := &ds.Status
	return slices.Concat(
		rule.NonNegative(s.CurrentNumberScheduled, status.Child("currentNumberScheduled")),
		rule.NonNegative(s.NumberMisscheduled, status.Child("numberMisscheduled")),
		rule.NonNegative(s.DesiredNumberScheduled, status.Child("desiredNumberScheduled")),
		rule.NonNegative(s.NumberReady, status.Child("numberReady")),
		rule.NonNegative(s.ObservedGeneration, status.Child("observedGeneration")),
		rule.NonNegative(s.UpdatedNumberScheduled, status.Child("updatedNumberScheduled")),
		rule.NonNegative(s.NumberAvailable, status.Child("numberAvailable")),
		rule.NonNegative(s.NumberUnavailable, status.Child("numberUnavailable")),
		rule.NonNegativeIfSet(s.CollisionCount, status.Child("collisionCount")),
		validateCollisions(s.CollisionCount, old.Status.CollisionCount),
	)
}

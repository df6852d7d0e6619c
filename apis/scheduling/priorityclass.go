// Package scheduling says what the objects of scheduling.k8s.io mean.
package scheduling

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

const (
	// HighestUserPriority is the highest value of a class that is not the system's.
	HighestUserPriority int32 = 1_000_000_000
	systemPrefix              = "system-"
)

// SystemPriorityClasses always exist. The caller owns the answer.
func SystemPriorityClasses() []*schedulingv1.PriorityClass {
	return []*schedulingv1.PriorityClass{{
		ObjectMeta:  metav1.ObjectMeta{Name: "system-node-critical"},
		Value:       2*HighestUserPriority + 1000,
		Description: "Used for system critical pods that must not be moved from their current node.",
	}, {
		ObjectMeta:  metav1.ObjectMeta{Name: "system-cluster-critical"},
		Value:       2 * HighestUserPriority,
		Description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
	}}
}

// IsSystemPriorityClass reports whether a class of that name always exists.
func IsSystemPriorityClass(name string) bool {
	return slices.ContainsFunc(SystemPriorityClasses(), func(c *schedulingv1.PriorityClass) bool { return c.Name == name })
}

// DefaultPriorityClass lets pods of the class preempt others.
func DefaultPriorityClass(c *schedulingv1.PriorityClass) {
	if c.PreemptionPolicy == nil {
		c.PreemptionPolicy = new(corev1.PreemptLowerPriority)
	}
}

// ValidatePriorityClass checks a new class.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
func ValidatePriorityClass(c *schedulingv1.PriorityClass) (errs field.ErrorList) {
	switch {
	case strings.HasPrefix(c.Name, systemPrefix):
		if err := matchesSystemClass(c); err != nil {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"), "priority class names with '"+systemPrefix+"' prefix are reserved for system use only. error: "+err.Error()))
		}
	case c.Value > HighestUserPriority:
		errs = append(errs, field.Forbidden(field.NewPath("value"), fmt.Sprintf("maximum allowed value of a user defined priority is %v", HighestUserPriority)))
	}
	if p := c.PreemptionPolicy; p != nil {
		errs = append(errs, rule.RequiredOneOf(*p, field.NewPath("preemptionPolicy"), corev1.PreemptLowerPriority, corev1.PreemptNever)...)
	}
	return errs
}

// matchesSystemClass returns how c differs from the system's class of its name.
func matchesSystemClass(c *schedulingv1.PriorityClass) error {
	for _, system := range SystemPriorityClasses() {
		switch {
		case system.Name != c.Name:
			continue
		case system.Value != c.Value:
			return fmt.Errorf("value of %v PriorityClass must be %v", c.Name, system.Value)
		case system.GlobalDefault != c.GlobalDefault:
			return fmt.Errorf("globalDefault of %v PriorityClass must be %v", c.Name, system.GlobalDefault)
		}
		return nil
	}
	return fmt.Errorf("%v is not a known system priority class", c.Name)
}

// ValidatePriorityClassUpdate keeps the priority: running pods have a copy of it.
func ValidatePriorityClassUpdate(c, old *schedulingv1.PriorityClass) (errs field.ErrorList) {
	if c.Value != old.Value {
		errs = append(errs, field.Forbidden(field.NewPath("value"), "may not be changed in an update."))
	}
	return append(errs, rule.Immutable(c.PreemptionPolicy, old.PreemptionPolicy, field.NewPath("preemptionPolicy"))...)
}

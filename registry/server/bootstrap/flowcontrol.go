package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
)

// ensureFlowControl keeps the library's priority levels and flow schemas. Mandatory ones are always as they must be, suggested
// ones unless somebody has taken them over.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#maintenance-of-the-mandatory-and-suggested-configuration-objects
func ensureFlowControl(ctx context.Context, c Config) error {
	var errs []error
	level := func(wanted *flowcontrolv1.PriorityLevelConfiguration, mandatory bool) {
		wanted = wanted.DeepCopy()
		annotate(wanted, true)
		errs = append(errs, keep(ctx, c.Client.FlowcontrolV1().PriorityLevelConfigurations(), wanted, func(stored *flowcontrolv1.PriorityLevelConfiguration) bool {
			return maintain(stored, mandatory, func() bool {
				if equality.Semantic.DeepEqual(stored.Spec, wanted.Spec) {
					return false
				}
				stored.Spec = wanted.Spec
				return true
			})
		}))
	}
	schema := func(wanted *flowcontrolv1.FlowSchema, mandatory bool) {
		wanted = wanted.DeepCopy()
		annotate(wanted, true)
		errs = append(errs, keep(ctx, c.Client.FlowcontrolV1().FlowSchemas(), wanted, func(stored *flowcontrolv1.FlowSchema) bool {
			return maintain(stored, mandatory, func() bool {
				if equality.Semantic.DeepEqual(stored.Spec, wanted.Spec) {
					return false
				}
				stored.Spec = wanted.Spec
				return true
			})
		}))
	}
	for _, o := range bootstrap.SuggestedPriorityLevelConfigurations {
		level(o, false)
	}
	for _, o := range bootstrap.MandatoryPriorityLevelConfigurations {
		level(o, true)
	}
	for _, o := range bootstrap.SuggestedFlowSchemas {
		schema(o, false)
	}
	for _, o := range bootstrap.MandatoryFlowSchemas {
		schema(o, true)
	}
	return errors.Join(append(errs, removeDangling(ctx, c))...)
}

// removeDangling deletes what an older version has suggested and nobody has taken over.
func removeDangling(ctx context.Context, c Config) error {
	v1 := c.Client.FlowcontrolV1()
	schemas, err := v1.FlowSchemas().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing flow schemas: %w", err)
	}
	levels, err := v1.PriorityLevelConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing priority levels: %w", err)
	}
	var errs []error
	wanted := slices.Concat(names(bootstrap.MandatoryFlowSchemas), names(bootstrap.SuggestedFlowSchemas))
	for i := range schemas.Items {
		if s := &schemas.Items[i]; dangling(s, wanted) {
			errs = append(errs, named(unlessGone(v1.FlowSchemas().Delete(ctx, s.Name, *metav1.NewRVDeletionPrecondition(s.ResourceVersion))), "deleting", s))
		}
	}
	wanted = slices.Concat(names(bootstrap.MandatoryPriorityLevelConfigurations), names(bootstrap.SuggestedPriorityLevelConfigurations))
	for i := range levels.Items {
		if l := &levels.Items[i]; dangling(l, wanted) {
			errs = append(errs, named(unlessGone(v1.PriorityLevelConfigurations().Delete(ctx, l.Name, *metav1.NewRVDeletionPrecondition(l.ResourceVersion))), "deleting", l))
		}
	}
	return errors.Join(errs...)
}

func dangling(o metav1.Object, wanted []string) bool {
	ours, err := strconv.ParseBool(o.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey])
	return err == nil && ours && !slices.Contains(wanted, o.GetName())
}

// maintain resets the spec if the object is ours to keep, and notes in an annotation whether it is.
func maintain(stored metav1.Object, mandatory bool, reset func() bool) (changed bool) {
	ours := mandatory
	noted := stored.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey]
	if !mandatory {
		var err error
		if ours, err = strconv.ParseBool(noted); err != nil {
			ours = stored.GetGeneration() == 1
		}
	}
	if ours {
		changed = reset()
	}
	if noted != strconv.FormatBool(ours) {
		annotate(stored, ours)
		changed = true
	}
	return changed
}

func annotate(o metav1.Object, ours bool) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[flowcontrolv1.AutoUpdateAnnotationKey] = strconv.FormatBool(ours)
	o.SetAnnotations(annotations)
}

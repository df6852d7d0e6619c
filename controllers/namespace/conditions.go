package namespace

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
)

// outcome is one condition: what it says when all is well, and what when not.
type outcome struct {
	kind                corev1.NamespaceConditionType
	okReason, okMessage string
	badReason           string
	trouble             func(f findings) string
}

// outcomes are all conditions of a namespace that is being deleted, in the order in which they are first written.
func outcomes() []outcome {
	return []outcome{{
		kind:     corev1.NamespaceDeletionDiscoveryFailure,
		okReason: "ResourcesDiscovered", okMessage: "All resources successfully discovered",
		badReason: "DiscoveryFailed", trouble: discoveryTrouble,
	}, {
		kind:     corev1.NamespaceDeletionGVParsingFailure,
		okReason: "ParsedGroupVersions", okMessage: "All legacy kube types successfully parsed",
		badReason: "GroupVersionParsingFailed", trouble: parsingTrouble,
	}, {
		kind:     corev1.NamespaceDeletionContentFailure,
		okReason: "ContentDeleted", okMessage: "All content successfully deleted, may be waiting on finalization",
		badReason: "ContentDeletionFailed", trouble: deletionTrouble,
	}, {
		kind:     corev1.NamespaceContentRemaining,
		okReason: "ContentRemoved", okMessage: "All content successfully removed",
		badReason: "SomeResourcesRemain", trouble: remainingTrouble,
	}, {
		kind:     corev1.NamespaceFinalizersRemaining,
		okReason: "ContentHasNoFinalizers", okMessage: "All content-preserving finalizers finished",
		badReason: "SomeFinalizersRemain", trouble: finalizerTrouble,
	}}
}

func discoveryTrouble(f findings) string {
	var groups *discovery.ErrGroupDiscoveryFailed
	switch {
	case f.discovery == nil:
		return ""
	case errors.As(f.discovery, &groups):
		return fmt.Sprintf("Discovery failed for some groups, %d failing: %v", len(groups.Groups), f.discovery)
	}
	return f.discovery.Error()
}

func parsingTrouble(f findings) string {
	if f.parsing == nil {
		return ""
	}
	return f.parsing.Error()
}

func deletionTrouble(f findings) string {
	if len(f.deletion) == 0 {
		return ""
	}
	var messages []string
	for _, err := range f.deletion {
		messages = append(messages, err.Error())
	}
	slices.Sort(messages)
	return fmt.Sprintf("Failed to delete all resource types, %d remaining: %v", len(messages), strings.Join(messages, ", "))
}

func remainingTrouble(f findings) string {
	var parts []string
	for kind, n := range f.remaining {
		parts = append(parts, fmt.Sprintf("%s.%s has %d resource instances", kind.Resource, kind.Group, n))
	}
	return sentence("Some resources are remaining: ", parts)
}

func finalizerTrouble(f findings) string {
	var parts []string
	for finalizer, n := range f.finalizers {
		parts = append(parts, fmt.Sprintf("%s in %d resource instances", finalizer, n))
	}
	return sentence("Some content in the namespace has finalizers remaining: ", parts)
}

func sentence(start string, parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return start + strings.Join(parts, ", ")
}

// conditions returns the conditions after a pass that found f. Others than ours are kept.
func conditions(old []corev1.NamespaceCondition, f findings, now time.Time) []corev1.NamespaceCondition {
	updated := slices.Clone(old)
	for _, o := range outcomes() {
		c := corev1.NamespaceCondition{
			Type: o.kind, Status: corev1.ConditionFalse, Reason: o.okReason, Message: o.okMessage,
			LastTransitionTime: metav1.NewTime(now),
		}
		if trouble := o.trouble(f); trouble != "" {
			c.Status, c.Reason, c.Message = corev1.ConditionTrue, o.badReason, trouble
		}
		i := slices.IndexFunc(updated, func(c corev1.NamespaceCondition) bool { return c.Type == o.kind })
		if i < 0 {
			updated = append(updated, c)
			continue
		}
		if updated[i].Status == c.Status {
			c.LastTransitionTime = updated[i].LastTransitionTime
		}
		updated[i] = c
	}
	return updated
}

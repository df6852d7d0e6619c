package job

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// verdict is what a Pod's failure means: whether it counts, whether its index fails with it, and why the whole job
// does, if so.
type verdict struct {
	counts, index bool
	fatal         string
}

// judgeFailure applies the first rule that fits a failed Pod.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
func judgeFailure(policy *batchv1.PodFailurePolicy, pod *corev1.Pod) verdict {
	if policy == nil {
		return verdict{counts: true}
	}
	for i, rule := range policy.Rules {
		what, fits := matchRule(&rule, pod)
		if !fits {
			continue
		}
		switch rule.Action {
		case batchv1.PodFailurePolicyActionIgnore:
			return verdict{}
		case batchv1.PodFailurePolicyActionFailIndex:
			return verdict{counts: true, index: true}
		case batchv1.PodFailurePolicyActionFailJob:
			return verdict{counts: true, fatal: fmt.Sprintf("%s matching %v rule at index %d", what, rule.Action, i)}
		}
		return verdict{counts: true}
	}
	return verdict{counts: true}
}

// matchRule says in words what of the Pod fits the rule.
func matchRule(rule *batchv1.PodFailurePolicyRule, pod *corev1.Pod) (what string, fits bool) {
	if rule.OnExitCodes != nil {
		for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
			if exited := status.State.Terminated; exited != nil && matchExit(rule.OnExitCodes, status.Name, exited.ExitCode) {
				return fmt.Sprintf("Container %s for pod %s/%s failed with exit code %v", status.Name, pod.Namespace, pod.Name, exited.ExitCode), true
			}
		}
		return "", false
	}
	for _, condition := range pod.Status.Conditions {
		for _, pattern := range rule.OnPodConditions {
			if condition.Type == pattern.Type && condition.Status == pattern.Status {
				return fmt.Sprintf("Pod %s/%s has condition %v", pod.Namespace, pod.Name, condition.Type), true
			}
		}
	}
	return "", false
}

func matchExit(rule *batchv1.PodFailurePolicyOnExitCodesRequirement, container string, code int32) bool {
	if code == 0 || rule.ContainerName != nil && *rule.ContainerName != container {
		return false
	}
	return slices.Contains(rule.Values, code) == (rule.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn)
}

// metBy returns which rule of the success policy the succeeded indexes meet; ok is false for none.
//
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy
func metBy(policy *batchv1.SuccessPolicy, succeeded []int, completions int) (message string, ok bool) {
	if policy == nil {
		return "", false
	}
	for i, rule := range policy.Rules {
		relevant, all := succeeded, completions
		if rule.SucceededIndexes != nil {
			wanted := parseIndexes(*rule.SucceededIndexes, completions)
			all = len(wanted)
			relevant = slices.DeleteFunc(slices.Clone(succeeded), func(n int) bool { return !slices.Contains(wanted, n) })
		}
		needed := all
		if rule.SucceededCount != nil {
			needed = int(*rule.SucceededCount)
		}
		if len(relevant) >= needed {
			return fmt.Sprintf("Matched rules at index %d", i), true
		}
	}
	return "", false
}

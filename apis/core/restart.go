package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// RestartRule returns what the first of a container's rules that knows an exit code says, and whether there is one.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-rules
func RestartRule(c *corev1.Container, exitCode int32) (corev1.ContainerRestartRuleAction, bool) {
	for _, rule := range c.RestartPolicyRules {
		if rule.ExitCodes == nil {
			continue
		}
		listed := slices.Contains(rule.ExitCodes.Values, exitCode)
		switch rule.ExitCodes.Operator {
		case corev1.ContainerRestartRuleOnExitCodesOpIn:
			if listed {
				return rule.Action, true
			}
		case corev1.ContainerRestartRuleOnExitCodesOpNotIn:
			if !listed {
				return rule.Action, true
			}
		}
	}
	return "", false
}

// RestartsAll reports whether a container that ended with the exit code has all containers of its Pod started again.
func RestartsAll(c *corev1.Container, exitCode int32) bool {
	action, _ := RestartRule(c, exitCode)
	return action == corev1.ContainerRestartRuleActionRestartAllContainers
}

// MayRestartAll reports whether the end of some container may have all of its Pod started again.
func MayRestartAll(spec *corev1.PodSpec) bool {
	found := false
	Containers(spec, func(c *corev1.Container) bool {
		found = slices.ContainsFunc(c.RestartPolicyRules, func(r corev1.ContainerRestartRule) bool {
			return r.Action == corev1.ContainerRestartRuleActionRestartAllContainers
		})
		return !found
	})
	return found
}

package metrics

import (
	"strings"

	"k8s.io/utils/ptr"
)

// rejections are the reasons that are told by their names. There is no end of others.
var rejections = map[string]bool{
	"AppArmor": true, "PodOSSelectorNodeLabelDoesNotMatch": true, "PodOSNotSupported": true, "InvalidNodeInfo": true,
	"InitContainerRestartPolicyForbidden": true, "SupplementalGroupsPolicyNotSupported": true, "UnexpectedAdmissionError": true,
	"UnknownReason": true, "UnexpectedPredicateFailureType": true, "OutOfcpu": true, "OutOfmemory": true, "OutOfephemeral-storage": true,
	"OutOfpods": true, "PodLevelResourcesNotAdmittedReason": true, "PodFeatureUnsupported": true, "node(s) had taints that the pod didn't tolerate": true,
	"Evicted": true, "SysctlForbidden": true, "TopologyAffinityError": true, "NodeShutdown": true, "VolumeAttachmentLimitExceeded": true,
}

// rejection is the label of a reason.
func rejection(reason string) string {
	switch {
	case rejections[reason]:
		return reason
	case strings.HasPrefix(reason, "OutOf"):
		return "OutOfExtendedResources"
	}
	return "Other"
}

// PriorityBucket is the label of a Pod's priority.
func PriorityBucket(priority *int32) string {
	switch p := ptr.Deref(priority, 0); {
	case p >= 2000000000:
		return "system-critical"
	case p >= 100000:
		return "high"
	case p > 0:
		return "medium"
	case p == 0:
		return "normal"
	case p > -1000:
		return "low"
	}
	return "very-low"
}

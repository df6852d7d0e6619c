// Package flowcontrol says what the objects of flowcontrol.apiserver.k8s.io mean: defaults and validation, as pure functions.
package flowcontrol

import flowcontrolv1 "k8s.io/api/flowcontrol/v1"

// DefaultFlowSchema fills in the precedence.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
func DefaultFlowSchema(s *flowcontrolv1.FlowSchema) {
	orDefault(&s.Spec.MatchingPrecedence, 1000)
}

// DefaultPriorityLevel fills in shares and queues.
func DefaultPriorityLevel(l *flowcontrolv1.PriorityLevelConfiguration) {
	if e := l.Spec.Exempt; e != nil {
		pointTo(&e.NominalConcurrencyShares, 0)
		pointTo(&e.LendablePercent, 0)
	}
	if e := l.Spec.Limited; e != nil {
		pointTo(&e.NominalConcurrencyShares, 30)
		pointTo(&e.LendablePercent, 0)
		if q := e.LimitResponse.Queuing; q != nil {
			orDefault(&q.HandSize, 8)
			orDefault(&q.Queues, 64)
			orDefault(&q.QueueLengthLimit, 50)
		}
	}
}

func orDefault(value *int32, fallback int32) {
	if *value == 0 {
		*value = fallback
	}
}

func pointTo(value **int32, fallback int32) {
	if *value == nil {
		*value = &fallback
	}
}

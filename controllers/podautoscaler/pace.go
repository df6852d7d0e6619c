package podautoscaler

import (
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// past is what an autoscaler remembers while the controller runs. It begins with the number of replicas that was found first.
type past struct {
	recommended []recommendation // as the metrics had it, not yet stabilized
	grown       []change
	shrunk      []change
}

type recommendation struct {
	replicas int32
	time     time.Time
}

// change is by how many replicas a target was scaled.
type change struct {
	replicas int32
	time     time.Time
}

// limit is what became of a wish, and why.
type limit struct {
	replicas        int32
	reason, message string
}

// stabilize gives the replicas that recommendations of the last time agree on.
//
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#stabilization-window
func (p *past) stabilize(current, wanted int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, window time.Duration, now time.Time) int32 {
	if behavior == nil {
		highest := wanted
		for _, r := range p.recommended {
			if !r.time.Before(now.Add(-window)) {
				highest = max(highest, r.replicas)
			}
		}
		return highest
	}
	lowest, highest := wanted, wanted
	growing, shrinking := now.Add(-windowOf(behavior.ScaleUp, 0)), now.Add(-windowOf(behavior.ScaleDown, window))
	for _, r := range p.recommended {
		if r.time.After(growing) {
			lowest = min(lowest, r.replicas)
		}
		if r.time.After(shrinking) {
			highest = max(highest, r.replicas)
		}
	}
	return min(max(current, lowest), highest)
}

func windowOf(rules *autoscalingv2.HPAScalingRules, otherwise time.Duration) time.Duration {
	if rules == nil || rules.StabilizationWindowSeconds == nil {
		return otherwise
	}
	return seconds(*rules.StabilizationWindowSeconds)
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// within brings what is wanted between the autoscaler's bounds, and to the pace that it may change at.
func (p *past) within(current, wanted, least, most int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, now time.Time) limit {
	ceiling, floor := most, least
	tooMany := limit{most, "TooManyReplicas", "the desired replica count is more than the maximum replica count"}
	tooFew := limit{least, "TooFewReplicas", "the desired replica count is less than the minimum replica count"}
	if pace := p.ceiling(current, behavior, now); pace < most {
		ceiling = pace
		tooMany = limit{pace, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"}
	}
	if pace := p.floor(current, behavior, now); pace > least {
		floor = pace
		tooFew = limit{pace, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"}
	}
	// With behavior, each direction has its own limits; without, the bounds hold in any case.
	switch {
	case wanted < floor && (behavior == nil || wanted < current):
		return tooFew
	case wanted > ceiling && (behavior == nil || wanted > current):
		return tooMany
	}
	return limit{wanted, "DesiredWithinRange", "the desired count is within the acceptable range"}
}

// ceiling is how many replicas the pace of growing allows now.
func (p *past) ceiling(current int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, now time.Time) int32 {
	if behavior == nil || behavior.ScaleUp == nil {
		return up(max(2*float64(current), 4))
	}
	allowed := p.allowed(behavior.ScaleUp, current, now, func(from float64, policy *autoscalingv2.HPAScalingPolicy) float64 {
		if policy.Type == autoscalingv2.PodsScalingPolicy {
			return from + float64(policy.Value)
		}
		return math.Ceil(from * (1 + float64(policy.Value)/100))
	}, func(a, b float64) bool { return a > b })
	return max(current, allowed)
}

// floor is how few replicas the pace of shrinking allows now.
func (p *past) floor(current int32, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior, now time.Time) int32 {
	if behavior == nil || behavior.ScaleDown == nil {
		return 0
	}
	allowed := p.allowed(behavior.ScaleDown, current, now, func(from float64, policy *autoscalingv2.HPAScalingPolicy) float64 {
		if policy.Type == autoscalingv2.PodsScalingPolicy {
			return from - float64(policy.Value)
		}
		return math.Trunc(from * (1 - float64(policy.Value)/100))
	}, func(a, b float64) bool { return a < b })
	return min(current, allowed)
}

// allowed is what the rules' policies allow, beginning from the replicas that there were when each one's period began. further says
// which of two is the greater change.
func (p *past) allowed(rules *autoscalingv2.HPAScalingRules, current int32, now time.Time,
	to func(from float64, policy *autoscalingv2.HPAScalingPolicy) float64, further func(a, b float64) bool) int32 {
	choice := autoscalingv2.MaxChangePolicySelect
	if rules.SelectPolicy != nil {
		choice = *rules.SelectPolicy
	}
	if choice == autoscalingv2.DisabledPolicySelect || len(rules.Policies) == 0 {
		return current
	}
	var result float64
	for i := range rules.Policies {
		policy := &rules.Policies[i]
		begun := now.Add(-seconds(policy.PeriodSeconds))
		proposed := to(float64(current-since(p.grown, begun)+since(p.shrunk, begun)), policy)
		if i == 0 || further(proposed, result) == (choice != autoscalingv2.MinChangePolicySelect) {
			result = proposed
		}
	}
	return up(result)
}

func since(changes []change, begun time.Time) (sum int32) {
	for _, c := range changes {
		if c.time.After(begun) {
			sum += c.replicas
		}
	}
	return sum
}

// longest is how long anything is remembered: windows and periods are an hour at most.
const longest = time.Hour

// recommend remembers what the metrics asked for.
func (p *past) recommend(replicas int32, now time.Time) {
	p.recommended = append(fresh(p.recommended, func(r recommendation) time.Time { return r.time }, now), recommendation{replicas, now})
}

// scaled remembers a change of the target.
func (p *past) scaled(from, to int32, now time.Time) {
	when := func(c change) time.Time { return c.time }
	if to > from {
		p.grown = append(fresh(p.grown, when, now), change{to - from, now})
	} else {
		p.shrunk = append(fresh(p.shrunk, when, now), change{from - to, now})
	}
}

// fresh drops what is too old to matter from a list in order of time.
func fresh[T any](list []T, when func(T) time.Time, now time.Time) []T {
	for len(list) > 0 && now.Sub(when(list[0])) > longest {
		list = list[1:]
	}
	return list
}

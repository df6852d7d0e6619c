package podautoscaler

import (
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"
)

// Sample is what one Pod was found to use, in thousandths of the metric's unit, over the window that ended at Time.
type Sample struct {
	Value  int64
	Time   time.Time
	Window time.Duration
}

// counted are the Pods of a target, by what is known of them. Pods that end or have failed are in none of these: they are no demand.
type counted struct {
	ready   int              // have a sample that counts
	unready []string         // do not serve yet: what they use says nothing
	missing []string         // run, but nobody knows what they use
	use     map[string]int64 // by name, of those that are ready
}

var errNoPods = errors.New("no pods returned by selector while calculating replica count")

// count sorts Pods. A sample from before its Pod started is that of another Pod of the same name. For CPU alone it matters whether a
// Pod is ready, and since when: starting takes CPU that serving does not.
func (s settings) count(pods []*corev1.Pod, samples map[string]Sample, resource corev1.ResourceName, now time.Time) (counted, error) {
	if len(pods) == 0 {
		return counted{}, errNoPods
	}
	c := counted{use: map[string]int64{}}
	for _, pod := range pods {
		sample, known := samples[pod.Name]
		started := pod.Status.StartTime
		switch {
		case pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed:
		case pod.Status.Phase == corev1.PodPending:
			c.unready = append(c.unready, pod.Name)
		case !known || started != nil && sample.Time.Before(started.Time):
			c.missing = append(c.missing, pod.Name)
		case resource == corev1.ResourceCPU && s.starting(pod, sample, now):
			c.unready = append(c.unready, pod.Name)
		default:
			c.ready++
			c.use[pod.Name] = sample.Value
		}
	}
	if c.ready == 0 {
		return counted{}, errors.New("did not receive metrics for targeted pods (pods might be unready)")
	}
	return c, nil
}

// starting reports whether the sample is of a Pod that starts, rather than serves.
//
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
func (s settings) starting(pod *corev1.Pod, sample Sample, now time.Time) bool {
	ready, started := condition(pod, corev1.PodReady), pod.Status.StartTime
	if ready == nil || started == nil {
		return true
	}
	changed := ready.LastTransitionTime.Time
	if started.Add(s.cpuInitialization).After(now) {
		return ready.Status == corev1.ConditionFalse || sample.Time.Before(changed.Add(sample.Window))
	}
	return ready.Status == corev1.ConditionFalse && started.Add(s.initialReadiness).After(changed)
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// serving is how many Pods are ready.
func serving(pods []*corev1.Pod) (n int) {
	for _, pod := range pods {
		ready := condition(pod, corev1.PodReady)
		if pod.Status.Phase == corev1.PodRunning && ready != nil && ready.Status == corev1.ConditionTrue {
			n++
		}
	}
	return n
}

// requests are what each Pod requests of the resource, or one of its containers if one is named, in thousandths.
func requests(pods []*corev1.Pod, container string, resource corev1.ResourceName) (map[string]int64, error) {
	all := make(map[string]int64, len(pods))
	for _, pod := range pods {
		requested, err := request(pod, container, resource)
		if err != nil {
			return nil, err
		}
		all[pod.Name] = requested
	}
	return all, nil
}

func request(pod *corev1.Pod, container string, resource corev1.ResourceName) (sum int64, err error) {
	if container == "" && resourcehelper.IsPodLevelRequestsSet(pod) {
		whole, ok := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})[resource]
		if !ok {
			return 0, fmt.Errorf("missing pod-level request for %s in Pod %s", resource, pod.Name)
		}
		return whole.MilliValue(), nil
	}
	found := container == ""
	for c := range runAlong(pod) {
		if container != "" && c.Name != container {
			continue
		}
		found = true
		requested, ok := c.Resources.Requests[resource]
		if !ok {
			return 0, fmt.Errorf("missing request for %s in container %s of Pod %s", resource, c.Name, pod.Name)
		}
		sum += requested.MilliValue()
	}
	if !found {
		return 0, fmt.Errorf("container %s not found in Pod %s", container, pod.Name)
	}
	return sum, nil
}

// runAlong are the containers that run as long as the Pod does: its own, and sidecars.
func runAlong(pod *corev1.Pod) func(yield func(*corev1.Container) bool) {
	return func(yield func(*corev1.Container) bool) {
		for i := range pod.Spec.Containers {
			if !yield(&pod.Spec.Containers[i]) {
				return
			}
		}
		for i := range pod.Spec.InitContainers {
			c := &pod.Spec.InitContainers[i]
			if ptr.Deref(c.RestartPolicy, "") == corev1.ContainerRestartPolicyAlways && !yield(c) {
				return
			}
		}
	}
}

// tolerance is how far use may be from its target, as a part of that, before the scale changes.
type tolerance struct{ down, up float64 }

func (t tolerance) covers(ratio float64) bool { return 1-t.down <= ratio && ratio <= 1+t.up }

// each is a calculation on what Pods use one by one.
type each struct {
	// ratio is use over target; it takes use by Pod, at least one.
	ratio func(use map[string]int64) (float64, error)
	// full is what a Pod uses that uses all that it should.
	full func(pod string) int64
}

// replicas gives how many Pods would bring use to its target, where now are wanted. What is not known counts against the direction: as
// full where there is less to do, as idle where there is more; and it never turns the direction.
func (e each) replicas(c counted, now int32, t tolerance) (int32, error) {
	ratio, err := e.ratio(c.use)
	if err != nil {
		return 0, err
	}
	growing := ratio > 1
	if len(c.missing) == 0 && (len(c.unready) == 0 || !growing) {
		if t.covers(ratio) {
			return now, nil
		}
		return up(ratio * float64(c.ready)), nil
	}
	for _, pod := range c.missing {
		if ratio < 1 {
			c.use[pod] = e.full(pod)
		} else if growing {
			c.use[pod] = 0
		}
	}
	if growing {
		for _, pod := range c.unready {
			c.use[pod] = 0
		}
	}
	cautious, err := e.ratio(c.use)
	if err != nil {
		return 0, err
	}
	if t.covers(cautious) || ratio < 1 && cautious > 1 || growing && cautious < 1 {
		return now, nil
	}
	replicas := up(cautious * float64(len(c.use)))
	if cautious < 1 && replicas > now || cautious > 1 && replicas < now {
		return now, nil
	}
	return replicas, nil
}

// up rounds up, to what a number of replicas can be.
func up(replicas float64) int32 {
	return int32(math.Ceil(min(replicas, math.MaxInt32)))
}

// average is for metrics that have a value for each Pod.
func average(target int64) each {
	return each{
		ratio: func(use map[string]int64) (float64, error) { return float64(mean(use)) / float64(target), nil },
		full:  func(string) int64 { return target },
	}
}

// utilization is for resources: percent is what should be used of all that is requested.
func utilization(requested map[string]int64, percent int32) each {
	return each{
		ratio: func(use map[string]int64) (float64, error) {
			used, err := used(use, requested)
			return float64(used) / float64(percent), err
		},
		full: func(pod string) int64 { return requested[pod] * int64(max(100, percent)) / 100 },
	}
}

// used is what is used of all that is requested, in percent.
func used(use, requested map[string]int64) (int32, error) {
	var sum, of int64
	for pod, value := range use {
		sum += value
		of += requested[pod]
	}
	if of == 0 {
		return 0, errors.New("no metrics returned matched known pods")
	}
	return int32(min(sum*100/of, math.MaxInt32)), nil
}

func mean(use map[string]int64) (sum int64) {
	for _, value := range use {
		sum += value
	}
	return sum / int64(len(use))
}

package noderesources

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func initContainer(list string, policy *corev1.ContainerRestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{RestartPolicy: policy,
			Resources: corev1.ResourceRequirements{Requests: opinions.Resources(list)}})
	}
}

func overhead(list string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Overhead = opinions.Resources(list) }
}

func podLevel(list string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Resources = &corev1.ResourceRequirements{Requests: opinions.Resources(list)}
	}
}

func TestFit(t *testing.T) {
	sidecar := ptr.To(corev1.ContainerRestartPolicyAlways)
	// A node of 4 CPUs, 8 GiB and 2 GPUs with 3 CPUs, 2 GiB and 1 GPU in use.
	node := snapshot.NewNode(opinions.Object("n", "", func(n *corev1.Node) { n.Status.Allocatable["example.com/gpu"] = opinions.Resources("x=2")["x"] }))
	running, err := snapshot.NewPod(opinions.Pod("running", opinions.Requests("cpu=3,memory=2Gi,example.com/gpu=1")))
	if err != nil {
		t.Fatal(err)
	}
	node.Add(running)
	for name, test := range map[string]struct {
		changes []func(*corev1.Pod)
		want    string
	}{
		"nothing":              {nil, "ok"},
		"what is left":         {[]func(*corev1.Pod){opinions.Requests("cpu=1,memory=6Gi")}, "ok"},
		"too much CPU":         {[]func(*corev1.Pod){opinions.Requests("cpu=1001m")}, "Insufficient cpu"},
		"never enough CPU":     {[]func(*corev1.Pod){opinions.Requests("cpu=5")}, "!Insufficient cpu"},
		"both":                 {[]func(*corev1.Pod){opinions.Requests("cpu=2,memory=7Gi")}, "Insufficient cpu, Insufficient memory"},
		"storage":              {[]func(*corev1.Pod){opinions.Requests("ephemeral-storage=101Gi")}, "!Insufficient ephemeral-storage"},
		"extended":             {[]func(*corev1.Pod){opinions.Requests("example.com/gpu=1")}, "ok"},
		"too much extended":    {[]func(*corev1.Pod){opinions.Requests("example.com/gpu=2")}, "Insufficient example.com/gpu"},
		"unknown extended":     {[]func(*corev1.Pod){opinions.Requests("example.com/fpga=1")}, "!Insufficient example.com/fpga"},
		"none of an extended":  {[]func(*corev1.Pod){opinions.Requests("example.com/fpga=0")}, "ok"},
		"init container alone": {[]func(*corev1.Pod){opinions.Requests("cpu=1"), initContainer("cpu=1", nil)}, "ok"},
		"larger init":          {[]func(*corev1.Pod){opinions.Requests("cpu=1"), initContainer("cpu=2", nil)}, "Insufficient cpu"},
		"sidecar adds":         {[]func(*corev1.Pod){opinions.Requests("cpu=1"), initContainer("cpu=100m", sidecar)}, "Insufficient cpu"},
		"overhead adds":        {[]func(*corev1.Pod){opinions.Requests("cpu=1"), overhead("cpu=100m")}, "Insufficient cpu"},
		"pod level wins":       {[]func(*corev1.Pod){opinions.Requests("cpu=500m"), podLevel("cpu=2")}, "Insufficient cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Filter(t, Fit{}, opinions.Pod("p", test.changes...), node), test.want)
		})
	}
}

func TestTooManyPods(t *testing.T) {
	node := snapshot.NewNode(opinions.Object("n", "", func(n *corev1.Node) { n.Status.Allocatable = opinions.Resources("pods=0") }))
	opinions.Expect(t, opinions.Filter(t, Fit{}, opinions.Pod("p"), node), "Too many pods")
}

func TestTheEmptierTheBetter(t *testing.T) {
	empty := opinions.Node("empty", "")
	half := opinions.Node("half", "", opinions.Pod("running", opinions.Requests("cpu=2,memory=4Gi")))
	pod := opinions.Pod("p", opinions.Requests("cpu=1,memory=2Gi"))
	opinions.Expect(t, opinions.Score(t, Fit{}, pod, empty, half), 75, 25)
	// 100m and 200 MiB stand for a pod that does not say.
	opinions.Expect(t, opinions.Score(t, Fit{}, opinions.Pod("p"), empty), 97)
}

func TestBalance(t *testing.T) {
	cpuHeavy := opinions.Node("cpu", "", opinions.Pod("running", opinions.Requests("cpu=2")))
	memoryHeavy := opinions.Node("memory", "", opinions.Pod("running", opinions.Requests("memory=4Gi")))
	pod := opinions.Pod("p", opinions.Requests("memory=2Gi"))
	opinions.Expect(t, opinions.Score(t, Balanced{}, pod, cpuHeavy, memoryHeavy), 81, 68)
	opinions.Expect(t, opinions.Score(t, Balanced{}, opinions.Pod("p"), cpuHeavy))
}

func TestOnlyNodesThatCouldHoldThePodHelp(t *testing.T) {
	pod := opinions.Pod("p", opinions.Requests("cpu=6"))
	grown := opinions.Object("n", "", func(n *corev1.Node) { n.Status.Allocatable = opinions.Resources("cpu=8,memory=8Gi,pods=10") })
	for name, test := range map[string]struct {
		event framework.Event
		want  bool
	}{
		"small node": {framework.Event{Action: framework.NodeAdded, New: opinions.Object("n", "")}, false},
		"large node": {framework.Event{Action: framework.NodeAdded, New: grown}, true},
		"grown node": {framework.Event{Action: framework.NodeAllocatableChanged, Old: opinions.Object("n", ""), New: grown}, true},
		"no growth":  {framework.Event{Action: framework.NodeAllocatableChanged, Old: grown, New: grown}, false},
		"pod gone":   {framework.Event{Action: framework.PodRemoved, Old: opinions.Pod("gone")}, true},
	} {
		if got := opinions.Helps(Fit{}, pod, test.event); got != test.want {
			t.Errorf("%s helps: %v, want %v", name, got, test.want)
		}
	}
}

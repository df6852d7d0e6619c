package pods

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// restarting gives containers the rule that restarts all of their Pod when they end with 42.
func restarting(pod *corev1.Pod, names ...string) *corev1.Pod {
	rule := corev1.ContainerRestartRule{Action: corev1.ContainerRestartRuleActionRestartAllContainers, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
		Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42},
	}}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for _, name := range names {
				if list[i].Name != name {
					continue
				}
				list[i].RestartPolicyRules = []corev1.ContainerRestartRule{rule}
				if list[i].RestartPolicy == nil {
					list[i].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
				}
			}
		}
	}
	return pod
}

func TestWhatIsTakenAwayToRestartAll(t *testing.T) {
	begun := func(f *facts) {
		f.old.Conditions = []corev1.PodCondition{{Type: corev1.AllContainersRestarting, Status: corev1.ConditionTrue}}
	}
	for _, tt := range []struct {
		name, held, want string
		change           func(*facts)
	}{
		{name: "nothing ended", held: "m1=running m2=running i1=0", want: "false"},
		{name: "another code", held: "m1=1 m2=running i1=0", want: "false"},
		{name: "one without the rule", held: "m1=running m2=42 i1=0", want: "false"},
		{name: "what began it goes last", held: "m1=42 m2=running s1=running i1=0", want: "true m2 i1 s1 m1"},
		{name: "init containers that began it go after all", held: "m1=42 m2=42 s1=42 i1=0", want: "true m2 i1 m1 s1"},
		{name: "earlier ends do not count, but go", held: "m1=running m1=42 m2=running i1=0", want: "false"},
		{name: "half done", held: "m2=running", change: begun, want: "true m2"},
		{name: "done but for an ephemeral container", held: "e=running", change: begun, want: "true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := facts{pod: restarting(spec(corev1.RestartPolicyNever, "i1 s1 m1 m2 e"), "m1", "s1"), runtime: held("sandbox=ready " + tt.held)}
			if tt.change != nil {
				tt.change(&f)
			}
			restarts, instances := restartsAll(f)
			got := fmt.Sprint(restarts)
			for _, c := range instances {
				got += " " + c.Name
			}
			if restarts && got != tt.want || !restarts && tt.want != "false" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// again waits until all is as it was, with each container started once more.
func (n *testNode) again(pod *corev1.Pod, want string, restarts map[string]int32) {
	n.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	n.wantStates(pod, want)
	s := n.Status.Latest(pod)
	if s.Phase != corev1.PodRunning {
		n.Errorf("the pod is %s", s.Phase)
	}
	for _, c := range append(s.InitContainerStatuses, s.ContainerStatuses...) {
		if want, ran := restarts[c.Name]; ran && (c.RestartCount != want || c.LastTerminationState.Terminated == nil) {
			n.Errorf("%s: %d restarts, want %d; last state %+v", c.Name, c.RestartCount, want, c.LastTerminationState)
		}
	}
	for _, c := range s.Conditions {
		if c.Type == corev1.AllContainersRestarting && c.Status != corev1.ConditionFalse {
			n.Errorf("the condition stays %s", c.Status)
		}
	}
}

func TestAllContainersRestartByARule(t *testing.T) {
	for _, source := range []string{"m1", "s", "i2"} {
		t.Run(source, func(t *testing.T) {
			onNode(t, func(n *testNode) {
				pod := restarting(spec(corev1.RestartPolicyNever, "i1 s i2 m1 m2"), source)
				pod.Spec.InitContainers[1].StartupProbe = nil
				n.add(pod)
				n.ends(pod, "i1", 0)
				counts := map[string]int32{"i1": 1, "s": 1, "i2": 1}
				if source != "i2" {
					n.ends(pod, "i2", 0)
					n.wantStates(pod, "i1=ended s=running i2=ended m1=running m2=running")
					counts["m1"], counts["m2"] = 1, 1
				}
				before := len(n.runtime.calls)
				n.ends(pod, source, 42)
				if s := n.Status.Latest(pod); s.Phase == corev1.PodFailed || s.Phase == corev1.PodSucceeded {
					t.Fatalf("the pod is %s", s.Phase)
				}
				n.ends(pod, "i1", 0)
				n.ends(pod, "i2", 0)
				n.again(pod, "i1=ended s=running i2=ended m1=running m2=running", counts)
				removed := ""
				for _, call := range n.runtime.calls[before:] {
					if name, is := strings.CutPrefix(call, "remove "); is {
						removed = name
					}
				}
				if removed != source+"/0" {
					t.Errorf("removed last was %q, not what began it: %v", removed, n.runtime.calls[before:])
				}
			})
		})
	}
}

func TestAllContainersRestartBesideOnesThatWaitAndEphemeralOnes(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := restarting(spec(corev1.RestartPolicyAlways, "m1 m2 e"), "m1")
		n.add(pod)
		for range 2 { // the second time it is held back
			n.ends(pod, "m2", 1)
		}
		n.wantStates(pod, "m1=running m2=CrashLoopBackOff")
		n.ends(pod, "m1", 42)
		n.again(pod, "m1=running m2=running", map[string]int32{"m1": 1, "m2": 2})
		if n.runtime.instances("e") != 1 {
			t.Error("the ephemeral container was taken away")
		}
		n.ends(pod, "m1", 42)
		n.again(pod, "m1=running m2=running", map[string]int32{"m1": 2, "m2": 3})
	})
}

func TestRestartOfAllContainersGoesOnAfterARestartOfTheNode(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := restarting(spec(corev1.RestartPolicyNever, "m1 m2"), "m1")
		n.add(pod)
		n.runtime.mu.Lock()
		n.runtime.stopping = fmt.Errorf("not yet")
		n.runtime.mu.Unlock()
		n.ends(pod, "m1", 42)
		n.stop()
		told := pod.DeepCopy()
		told.Status = n.Status.Latest(pod)
		next := newTestNode(n.T, n.dir, []*corev1.Pod{told}, func(c *Config) {
			n.runtime.stopping = nil
			c.Runtime = n.runtime
		})
		defer next.stop()
		next.again(told, "m1=running m2=running", map[string]int32{"m1": 1, "m2": 1})
	})
}

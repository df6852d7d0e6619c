package kubelet_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done"

func TestPodsDoWhatTheirSpecificationsSay(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]func(*testing.T, *world){
		"a pod that ends well succeeds":                  succeeds,
		"a pod that ends badly fails":                    fails,
		"init containers run in order":                   initOrder,
		"a failing init container fails the pod":         initFails,
		"sidecars start first and stop last":             sidecars,
		"a container that keeps ending is held back":     backsOff,
		"the termination message is reported":            lastWords,
		"the end of the log may be the message":          logIsMessage,
		"environment comes from everywhere":              environment,
		"a missing config map is waited for":             missingConfigMap,
		"volumes show config maps, secrets and fields":   volumeContents,
		"volumes follow their objects":                   liveVolumes,
		"an empty directory is shared and of its medium": emptyDirs,
		"part of a volume is mounted safely":             subPaths,
		"a readiness probe decides about readiness":      readiness,
		"a liveness probe restarts":                      liveness,
		"a startup probe holds the others back":          startupProbe,
		"hooks run after start and before stop":          hooks,
		"the deadline ends a pod":                        deadline,
		"what does not fit is refused":                   refused,
		"host name, hosts file and resolver":             names,
		"user, groups and capabilities":                  security,
		"an ephemeral container joins a running pod":     ephemeralContainers,
		"an image is exchanged in place":                 imageChange,
		"container restart policy overrides the pod's":   ownRestartPolicy,
		"all containers restart by a rule":               allRestart,
		"a forced deletion leaves nothing":               forced,
		"an unknown volume type keeps the pod pending":   unknownVolume,
		"limits reach the control group":                 limits,
		"what outgrows its disk limits is evicted":       diskLimits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := *w
			mine.t = t
			test(t, &mine)
		})
	}
}

func never(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever }

// wrote waits for what a container wrote to be in its log, which may be written after its end was seen.
func (w *world) wrote(p *corev1.Pod, container, want string) {
	w.t.Helper()
	w.wroteLike(p, container, want, func(got, want string) bool { return got == want })
}

func (w *world) wroteLike(p *corev1.Pod, container, want string, like func(got, want string) bool) {
	w.t.Helper()
	var got string
	for deadline := time.Now().Add(await.Limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = w.logs(p, container, 0); like(got, want) {
			return
		}
	}
	w.tell(p.Name)
	w.t.Fatalf("container %s of %s wrote %q, want %q", container, p.Name, got, want)
}

func succeeds(t *testing.T, w *world) {
	w.create(pod("succeeds", "echo done", never))
	p := w.until("succeeds", "ended", finished)
	s := p.Status.ContainerStatuses[0]
	if p.Status.Phase != corev1.PodSucceeded || s.State.Terminated == nil || s.State.Terminated.Reason != "Completed" || s.Ready {
		t.Errorf("got %s %+v", p.Status.Phase, s)
	}
	w.wrote(p, "main", "done\n")
}

func fails(t *testing.T, w *world) {
	w.create(pod("fails", "exit 3", never))
	p := w.until("fails", "ended", finished)
	s := p.Status.ContainerStatuses[0].State.Terminated
	if p.Status.Phase != corev1.PodFailed || s == nil || s.ExitCode != 3 || s.Reason != "Error" {
		t.Errorf("got %s %+v", p.Status.Phase, s)
	}
}

func withInit(list ...corev1.Container) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.InitContainers = list }
}

func withVolume(v corev1.VolumeSource, path string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		name := fmt.Sprintf("v%d", len(p.Spec.Volumes))
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: v})
		mount := corev1.VolumeMount{Name: name, MountPath: path}
		for i := range p.Spec.InitContainers {
			p.Spec.InitContainers[i].VolumeMounts = append(p.Spec.InitContainers[i].VolumeMounts, mount)
		}
		for i := range p.Spec.Containers {
			p.Spec.Containers[i].VolumeMounts = append(p.Spec.Containers[i].VolumeMounts, mount)
		}
	}
}

var emptyDir = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}

func initOrder(t *testing.T, w *world) {
	p := w.create(pod("init-order", "cat /d/log", never,
		withInit(container("one", "echo one >> /d/log"), container("two", "echo two >> /d/log")), withVolume(emptyDir, "/d")))
	got := w.until("init-order", "ended", finished)
	w.wrote(p, "main", "one\ntwo\n")
	if !got.Status.InitContainerStatuses[0].Ready {
		t.Errorf("init container is not ready: %+v", got.Status.InitContainerStatuses[0])
	}
}

func initFails(t *testing.T, w *world) {
	w.create(pod("init-fails", "echo no", never, withInit(container("one", "exit 1"))))
	p := w.until("init-fails", "ended", finished)
	if p.Status.Phase != corev1.PodFailed || p.Status.ContainerStatuses[0].State.Waiting == nil {
		t.Errorf("got %s %+v", p.Status.Phase, p.Status.ContainerStatuses)
	}
}

func sidecars(t *testing.T, w *world) {
	side := container("side", "echo up >> /d/log; trap 'echo side >> /d/log; exit 0' TERM; while :; do sleep 0.1; done")
	side.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	side.StartupProbe = &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 60, FailureThreshold: 60, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", "/d/log"}}}}
	dir := t.TempDir()
	host := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir}}
	w.create(pod("sidecars", "echo main >> /d/log; trap 'sleep 0.5; echo end >> /d/log; exit 0' TERM; while :; do sleep 0.1; done",
		withInit(side), withVolume(host, "/d")))
	p := w.until("sidecars", "was ready", ready)
	if !*p.Status.InitContainerStatuses[0].Started {
		t.Error("sidecar has not started")
	}
	w.delete("sidecars")
	w.until("sidecars", "went", gone)
	if got := read(t, dir+"/log"); got != "up\nmain\nend\nside\n" {
		t.Errorf("got %q", got)
	}
}

func backsOff(t *testing.T, w *world) {
	w.create(pod("crash", "exit 1"))
	p := w.until("crash", "was held back", func(p *corev1.Pod) bool {
		if len(p.Status.ContainerStatuses) == 0 {
			return false
		}
		s := p.Status.ContainerStatuses[0]
		return s.State.Waiting != nil && s.State.Waiting.Reason == "CrashLoopBackOff" && s.RestartCount >= 1
	})
	s := p.Status.ContainerStatuses[0]
	if p.Status.Phase != corev1.PodRunning || s.LastTerminationState.Terminated == nil || s.RestartCount != 1 {
		t.Errorf("got %s %+v", p.Status.Phase, s)
	}
	began := s.LastTerminationState.Terminated.FinishedAt.Time
	w.until("crash", "was started again", func(p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].RestartCount == 2 })
	if waited := time.Since(began); waited < 9*time.Second {
		t.Errorf("waited %s", waited)
	}
}

func lastWords(t *testing.T, w *world) {
	w.create(pod("last-words", "echo -n goodbye > /dev/termination-log; exit 1", never))
	p := w.until("last-words", "ended", finished)
	if got := p.Status.ContainerStatuses[0].State.Terminated.Message; got != "goodbye" {
		t.Errorf("got %q", got)
	}
}

func logIsMessage(t *testing.T, w *world) {
	w.create(pod("log-message", "echo from the log; exit 1", never, func(p *corev1.Pod) {
		p.Spec.Containers[0].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}))
	p := w.until("log-message", "ended", finished)
	if got := p.Status.ContainerStatuses[0].State.Terminated.Message; got != "from the log\n" {
		t.Errorf("got %q", got)
	}
}

func (w *world) configMap(name string, data map[string]string) {
	w.t.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	if _, err := w.client.CoreV1().ConfigMaps("default").Create(w.t.Context(), cm, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func environment(t *testing.T, w *world) {
	w.configMap("env", map[string]string{"a": "1", "b": "2"})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "env"}, Data: map[string][]byte{"s": []byte("hidden")}}
	if _, err := w.client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p := w.create(pod("env", "", never, func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Command = []string{"/bin/sh", "-c", `echo $P_a $P_b $S $NAME $IP $LIMIT '$(JOINED)'`}
		c.EnvFrom = []corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "env"}}}}
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
		c.Env = []corev1.EnvVar{
			{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "env"}, Key: "s"}}},
			{Name: "NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory", Divisor: resource.MustParse("1Mi")}}},
			{Name: "JOINED", Value: "$(NAME)-$(S)-$(NONE)-$$(NAME)"},
		}
	}))
	got := w.until("env", "ended", finished)
	w.wrote(p, "main", fmt.Sprintf("1 2 hidden env %s 64 env-hidden-$(NONE)-$(NAME)\n", got.Status.PodIP))
}

func missingConfigMap(t *testing.T, w *world) {
	w.create(pod("missing", "echo $X", never, func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "late"}, Key: "x"},
		}}}
	}))
	w.until("missing", "waited", func(p *corev1.Pod) bool {
		s := p.Status.ContainerStatuses
		return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == "CreateContainerConfigError"
	})
	w.configMap("late", map[string]string{"x": "here"})
	began := time.Now()
	w.wrote(w.until("missing", "ended", finished), "main", "here\n")
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("took %s after the config map came", took)
	}
}

func ready(p *corev1.Pod) bool {
	if p == nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func readiness(t *testing.T, w *world) {
	dir := t.TempDir()
	host := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir}}
	p := w.create(pod("readiness", forever, withVolume(host, "/d"), func(p *corev1.Pod) {
		p.Spec.TerminationGracePeriodSeconds = ptr.To[int64](0)
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"cat", "/d/ok"}}}}
	}))
	if p := w.until("readiness", "ran", running); ready(p) {
		t.Error("ready before its probe said so")
	}
	if err := os.WriteFile(dir+"/ok", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.until("readiness", "was ready", ready)
	if err := os.Remove(dir + "/ok"); err != nil {
		t.Fatal(err)
	}
	w.until("readiness", "was unready", func(p *corev1.Pod) bool { return !ready(p) })
	if s := w.get(p.Name).Status.ContainerStatuses[0]; s.RestartCount != 0 {
		t.Errorf("restarted: %+v", s)
	}
}

func liveness(t *testing.T, w *world) {
	w.create(pod("liveness", "httpd -p 8080 -h /; sleep 2; kill -9 $(ps | grep httpd | grep -v grep | while read p _; do echo $p; done); sleep 100", func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{
			PeriodSeconds: 1, FailureThreshold: 2, TerminationGracePeriodSeconds: ptr.To[int64](1),
			InitialDelaySeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/etc/hostname", Port: intstr.FromString("http")}},
		}
	}))
	p := w.until("liveness", "was restarted", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount == 1 && p.Status.ContainerStatuses[0].State.Running != nil
	})
	if last := p.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 137 {
		t.Errorf("got %+v", last)
	}
}

func startupProbe(t *testing.T, w *world) {
	w.create(pod("startup", "sleep 2; touch /tmp/up; sleep 100", func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		exec := func(cmd ...string) corev1.ProbeHandler {
			return corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: cmd}}
		}
		c.StartupProbe = &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 60, FailureThreshold: 60, ProbeHandler: exec("cat", "/tmp/up")}
		c.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 60, FailureThreshold: 1, ProbeHandler: exec("cat", "/tmp/up")}
	}))
	p := w.until("startup", "was ready", ready)
	if s := p.Status.ContainerStatuses[0]; s.RestartCount != 0 || !*s.Started {
		t.Errorf("got %+v", s)
	}
}

func hooks(t *testing.T, w *world) {
	dir := t.TempDir()
	w.create(pod("hooks", forever, withVolume(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir}}, "/d"), func(p *corev1.Pod) {
		exec := func(text string) *corev1.LifecycleHandler {
			return &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "echo " + text + " >> /d/log"}}}
		}
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: exec("start"), PreStop: exec("stop")}
	}))
	w.until("hooks", "was ready", ready)
	w.delete("hooks")
	w.until("hooks", "went", gone)
	if got := read(t, dir+"/log"); got != "start\nstop\n" {
		t.Errorf("got %q", got)
	}
}

func deadline(t *testing.T, w *world) {
	w.create(pod("deadline", forever, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = ptr.To[int64](2) }))
	p := w.until("deadline", "ended", finished)
	if p.Status.Phase != corev1.PodFailed || p.Status.Reason != "DeadlineExceeded" {
		t.Errorf("got %s %s", p.Status.Phase, p.Status.Reason)
	}
}

func refused(t *testing.T, w *world) {
	w.create(pod("too-big", forever, func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
	}))
	if p := w.until("too-big", "ended", finished); p.Status.Reason != "OutOfcpu" {
		t.Errorf("got %q", p.Status.Reason)
	}
	w.create(pod("elsewhere", forever, func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"no": "where"} }))
	if p := w.until("elsewhere", "ended", finished); p.Status.Reason != "NodeAffinity" {
		t.Errorf("got %q", p.Status.Reason)
	}
}

func names(t *testing.T, w *world) {
	p := w.create(pod("names", "hostname; grep 1.2.3.4 /etc/hosts; grep -c Kubernetes-managed /etc/hosts; grep search /etc/resolv.conf", never, func(p *corev1.Pod) {
		p.Spec.Hostname, p.Spec.Subdomain = "me", "sub"
		p.Spec.HostAliases = []corev1.HostAlias{{IP: "1.2.3.4", Hostnames: []string{"other", "names"}}}
	}))
	w.until("names", "ended", finished)
	const want = "me\n1.2.3.4\tother\tnames\n1\nsearch default.svc.cluster.local svc.cluster.local cluster.local"
	w.wroteLike(p, "main", want, strings.HasPrefix)
}

func security(t *testing.T, w *world) {
	p := w.create(pod("security", "id -u; id -g; touch /x 2>/dev/null || echo ro; grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status", never, func(p *corev1.Pod) {
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			RunAsUser: ptr.To[int64](1234), RunAsGroup: ptr.To[int64](4321), ReadOnlyRootFilesystem: ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	}))
	w.until("security", "ended", finished)
	w.wrote(p, "main", "1234\n4321\nro\nNoNewPrivs:\t1\nCapEff:\t0000000000000000\n")
	w.create(pod("root", forever, func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true)}
	}))
	w.until("root", "was refused", func(p *corev1.Pod) bool {
		s := p.Status.ContainerStatuses
		return len(s) > 0 && s[0].State.Waiting != nil && s[0].State.Waiting.Reason == "CreateContainerConfigError"
	})
}

func ephemeralContainers(t *testing.T, w *world) {
	w.create(pod("debugged", forever))
	p := w.until("debugged", "ran", running)
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon(container("debug", "ps | grep -c sleep; echo hi")), TargetContainerName: "main",
	}}
	if _, err := w.client.CoreV1().Pods("default").UpdateEphemeralContainers(t.Context(), p.Name, p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.until("debugged", "was debugged", func(p *corev1.Pod) bool {
		s := p.Status.EphemeralContainerStatuses
		return len(s) > 0 && s[0].State.Terminated != nil
	})
	w.wroteLike(p, "debug", "hi\n", strings.HasSuffix)
}

func imageChange(t *testing.T, w *world) {
	w.create(pod("image", forever))
	w.until("image", "ran", running)
	patch := []byte(`{"spec":{"containers":[{"name":"main","image":"busybox:test"}]}}`)
	if _, err := w.client.CoreV1().Pods("default").Patch(t.Context(), "image", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	p := w.until("image", "was restarted", func(p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].RestartCount == 1 && p.Status.ContainerStatuses[0].State.Running != nil
	})
	if p.Status.ObservedGeneration != p.Generation {
		t.Errorf("observed %d of %d", p.Status.ObservedGeneration, p.Generation)
	}
}

func ownRestartPolicy(t *testing.T, w *world) {
	w.create(pod("own-policy", "test -e /d/x && exit 0; touch /d/x; exit 42", never, withVolume(emptyDir, "/d"), func(p *corev1.Pod) {
		p.Spec.Containers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
		p.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestart,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
		}}
	}))
	if p := w.until("own-policy", "ended", finished); p.Status.Phase != corev1.PodSucceeded || p.Status.ContainerStatuses[0].RestartCount != 1 {
		t.Errorf("got %s %+v", p.Status.Phase, p.Status.ContainerStatuses)
	}
}

func allRestart(t *testing.T, w *world) {
	once := "[ -e /d/again ] || { touch /d/again; exit 42; }; " + forever
	w.create(pod("all-restart", once, never, withInit(container("one", "echo one >> /d/log")), withVolume(emptyDir, "/d"), func(p *corev1.Pod) {
		p.Spec.Containers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
		p.Spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
		}}
		p.Spec.Containers = append(p.Spec.Containers, container("other", forever))
	}))
	p := w.until("all-restart", "each container run again", func(p *corev1.Pod) bool {
		all := append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...)
		for i := range all {
			if all[i].RestartCount != 1 || all[i].LastTerminationState.Terminated == nil || all[i].State.Waiting != nil {
				return false
			}
		}
		return len(all) == 3
	})
	if p.Status.Phase != corev1.PodRunning || p.Status.ContainerStatuses[0].State.Running == nil || p.Status.ContainerStatuses[1].State.Running == nil {
		t.Errorf("got %s %+v", p.Status.Phase, p.Status.ContainerStatuses)
	}
	w.until("all-restart", "said to be restarted", func(p *corev1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.AllContainersRestarting {
				return c.Status == corev1.ConditionFalse
			}
		}
		return false
	})
}

func forced(t *testing.T, w *world) {
	p := w.create(pod("forced", "trap '' TERM; while :; do sleep 0.1; done", withVolume(emptyDir, "/d")))
	w.until("forced", "ran", running)
	if err := w.client.CoreV1().Pods("default").Delete(t.Context(), "forced", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}); err != nil {
		t.Fatal(err)
	}
	w.until("forced", "went", gone)
	await.Until(t, "its files are gone", func() bool {
		return missing("/var/lib/kubelet/pods/"+string(p.UID)) && missing("/var/log/pods/default_forced_"+string(p.UID))
	})
}

func limits(t *testing.T, w *world) {
	p := w.create(pod("limits", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max", never, func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi"), corev1.ResourceCPU: resource.MustParse("500m")}
	}))
	got := w.until("limits", "ended", finished)
	if got.Status.QOSClass != corev1.PodQOSGuaranteed {
		t.Errorf("class %s", got.Status.QOSClass)
	}
	w.wrote(p, "main", fmt.Sprintf("%d\n", 64<<20))
}

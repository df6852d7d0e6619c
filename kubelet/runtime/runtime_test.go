package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/utils/ptr"
)

func TestRestartsAfter(t *testing.T) {
	rule := func(op corev1.ContainerRestartRuleOnExitCodesOperator, codes ...int32) []corev1.ContainerRestartRule {
		return []corev1.ContainerRestartRule{{
			Action: corev1.ContainerRestartRuleActionRestart, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: op, Values: codes},
		}}
	}
	in, notIn := corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn
	always, onFailure, never := ptr.To(corev1.ContainerRestartPolicyAlways), ptr.To(corev1.ContainerRestartPolicyOnFailure), ptr.To(corev1.ContainerRestartPolicyNever)
	for _, tt := range []struct {
		name string
		pod  corev1.RestartPolicy
		own  *corev1.ContainerRestartPolicy
		rule []corev1.ContainerRestartRule
		code int32
		want bool
	}{
		{"always", corev1.RestartPolicyAlways, nil, nil, 0, true}, {"unset", "", nil, nil, 0, true},
		{"on failure, well", corev1.RestartPolicyOnFailure, nil, nil, 0, false}, {"on failure, badly", corev1.RestartPolicyOnFailure, nil, nil, 1, true},
		{"never", corev1.RestartPolicyNever, nil, nil, 1, false},
		{"own always", corev1.RestartPolicyNever, always, nil, 0, true}, {"own never", corev1.RestartPolicyAlways, never, nil, 1, false},
		{"own on failure", corev1.RestartPolicyAlways, onFailure, nil, 0, false},
		{"a rule", corev1.RestartPolicyNever, never, rule(in, 42), 42, true}, {"no rule", corev1.RestartPolicyNever, never, rule(in, 42), 41, false},
		{"all but", corev1.RestartPolicyNever, never, rule(notIn, 0), 1, true}, {"not all but", corev1.RestartPolicyNever, never, rule(notIn, 0), 0, false},
	} {
		c := &corev1.Container{RestartPolicy: tt.own, RestartPolicyRules: tt.rule}
		if got := RestartsAfter(&corev1.PodSpec{RestartPolicy: tt.pod}, c, tt.code); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestContainerSecurity(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		HostPID: true, HostIPC: true,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsUser: ptr.To[int64](1), RunAsGroup: ptr.To[int64](2), FSGroup: ptr.To[int64](3), SupplementalGroups: []int64{4},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: ptr.To("../../x.json")},
		},
	}}
	c := &corev1.Container{Name: "c", SecurityContext: &corev1.SecurityContext{
		RunAsUser: ptr.To[int64](9), AllowPrivilegeEscalation: ptr.To(false),
		Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}, Drop: []corev1.Capability{"ALL"}},
	}}
	got := ContainerConfig(ContainerInput{Pod: pod, Container: c, SeccompRoot: "/seccomp", ImageUID: ptr.To[int64](7)}).Linux.SecurityContext
	if got.RunAsUser.Value != 9 || got.RunAsGroup.Value != 2 || !got.NoNewPrivs || len(got.SupplementalGroups) != 2 || got.SupplementalGroups[0] != 3 {
		t.Errorf("users: %+v", got)
	}
	if got.NamespaceOptions.Pid != runtimeapi.NamespaceMode_NODE || got.NamespaceOptions.Ipc != runtimeapi.NamespaceMode_NODE || got.NamespaceOptions.Network != runtimeapi.NamespaceMode_POD {
		t.Errorf("namespaces: %+v", got.NamespaceOptions)
	}
	if got.Seccomp.LocalhostRef != "/seccomp/x.json" {
		t.Errorf("a profile outside of its directory: %s", got.Seccomp.LocalhostRef)
	}
	if got.Capabilities.AddCapabilities[0] != "NET_ADMIN" || got.Capabilities.DropCapabilities[0] != "ALL" || len(got.MaskedPaths) == 0 {
		t.Errorf("capabilities: %+v", got)
	}
	c.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
	got = ContainerConfig(ContainerInput{Pod: pod, Container: c, TargetID: "other"}).Linux.SecurityContext
	if !got.Privileged || len(got.MaskedPaths) != 0 || got.Seccomp.ProfileType != runtimeapi.SecurityProfile_Unconfined {
		t.Errorf("privileged: %+v", got)
	}
	if got.NamespaceOptions.Pid != runtimeapi.NamespaceMode_TARGET || got.NamespaceOptions.TargetId != "other" {
		t.Errorf("target: %+v", got.NamespaceOptions)
	}
}

func TestSandboxSeccomp(t *testing.T) {
	for file, want := range map[string]runtimeapi.SecurityProfile_ProfileType{
		"": runtimeapi.SecurityProfile_RuntimeDefault, "/pause.json": runtimeapi.SecurityProfile_Localhost,
	} {
		got := SandboxConfig(SandboxInput{Pod: &corev1.Pod{}, Seccomp: file}).Linux.SecurityContext.Seccomp
		if got.ProfileType != want || got.LocalhostRef != file {
			t.Errorf("profile %q: %v", file, got)
		}
	}
}

func TestStopSignals(t *testing.T) {
	for _, name := range []corev1.Signal{"SIGTERM", "SIGUSR1", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-2"} {
		c := &corev1.Container{Lifecycle: &corev1.Lifecycle{StopSignal: &name}}
		s := stopSignal(c)
		if s == runtimeapi.Signal_SIGNAL_RUNTIME_DEFAULT {
			t.Errorf("%s is unknown", name)
			continue
		}
		if back := StopSignalName(s); back == nil || *back != name {
			t.Errorf("%s came back as %v", name, *back)
		}
	}
	if StopSignalName(runtimeapi.Signal_SIGNAL_RUNTIME_DEFAULT) != nil {
		t.Error("no signal has a name")
	}
}

func TestTerminationMessages(t *testing.T) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "message"), filepath.Join(dir, "0.log")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(log, "2026-01-02T03:04:05.000000000Z stdout F from the log\n")
	st := &runtimeapi.ContainerStatus{
		LogPath: log, ExitCode: 1, Mounts: []*runtimeapi.Mount{{ContainerPath: "/dev/termination-log", HostPath: file}},
		Annotations: map[string]string{annotationMessagePath: "/dev/termination-log", annotationMessagePolicy: string(corev1.TerminationMessageFallbackToLogsOnError)},
	}
	expect := func(what, want string) {
		t.Helper()
		if got := terminationMessage(t.Context(), st); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	expect("no file", "from the log\n")
	write(file, "own words")
	expect("a file", "own words")
	st.Message = "the runtime says"
	expect("both", "the runtime says: own words")
	st.Message = ""
	write(file, strings.Repeat("x", 5000)+"end")
	if got := terminationMessage(t.Context(), st); len(got) != maxMessageBytes || !strings.HasSuffix(got, "end") {
		t.Errorf("a long one has %d bytes", len(got))
	}
	write(file, "")
	st.ExitCode = 0
	expect("success does not fall back", "")
}

func TestRestoredContainers(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{TerminationGracePeriodSeconds: ptr.To[int64](7)}}
	c := &corev1.Container{Name: "c", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 3}}}}
	held := &Container{Name: "c", annotations: containerAnnotations(pod, c, 2)}
	spec, grace := RestoredContainer(held)
	if grace != 7 || spec.Lifecycle == nil || spec.Lifecycle.PreStop.Sleep.Seconds != 3 {
		t.Errorf("got %+v, %d", spec, grace)
	}
}

func TestUsersReadWhatTheRuntimeSaid(t *testing.T) {
	wrapped := fmt.Errorf("starting: %w", status.Error(codes.Unknown, "no such file"))
	for _, test := range []struct {
		err  error
		want string
	}{
		{status.Error(codes.Unknown, "no such file"), "no such file"},
		{wrapped, wrapped.Error()},
		{errors.New("gone"), "gone"},
	} {
		if got := Said(test.err); got.Error() != test.want {
			t.Errorf("%v becomes %v", test.err, got)
		}
	}
}

func TestAPipeSaysNoLastWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := readEnd(path, maxMessageBytes); done <- err }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting for the pipe's writer")
	}
}

func TestCoolingOfProcessorsIsMasked(t *testing.T) {
	sys := t.TempDir()
	for _, dir := range []string{"cpu0/thermal_throttle", "cpu1/cache", "cpu12/thermal_throttle", "cpufreq/thermal_throttle"} {
		if err := os.MkdirAll(filepath.Join(sys, "devices/system/cpu", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := throttles(sys)
	if len(got) != 2 || !strings.HasSuffix(got[0], "/cpu0/thermal_throttle") || !strings.HasSuffix(got[1], "/cpu12/thermal_throttle") {
		t.Errorf("got %v", got)
	}
}

package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-k8s/coracle/kubelet/downward"
	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// TestMain runs the tests in a mount namespace of their own: what they mount is seen by nobody else and ends with them.
func TestMain(m *testing.M) {
	const inside = "VOLUMES_TEST_INSIDE"
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=true")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// needRoot skips a test that mounts.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// world is what the tests' volumes are made of.
type world struct {
	*Volumes
	client *fake.Clientset
	root   string

	mu     sync.Mutex
	events []string
}

// objects holds ConfigMaps by name; a missing one is an error.
type objects map[string]*corev1.ConfigMap

func (o objects) ConfigMap(_, name string) (*corev1.ConfigMap, error) {
	if cm := o[name]; cm != nil {
		return cm, nil
	}
	return nil, errors.New("no config map " + name)
}

func (o objects) Secret(_, name string) (*corev1.Secret, error) {
	return nil, errors.New("no secret " + name)
}

func newWorld(t *testing.T, dir string, client *fake.Clientset) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{client: client, root: dir}
	w.Volumes = New(ctx, Config{
		PodsDir: dir, Client: client, Objects: objects{"cm": {Data: map[string]string{"key": "value"}}},
		Node: func() downward.Node {
			return downward.Node{Name: "here", Allocatable: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}
		},
		NodeLabels: func() map[string]string { return map[string]string{"kubernetes.io/hostname": "here"} },
		Event: func(_ *corev1.Pod, _, message string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, message)
		},
	})
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if err := removal.Unmount(dir); err != nil {
			t.Error(err)
		}
	})
	return w
}

// again is the same after a restart of the process.
func (w *world) again(t *testing.T) *world { return newWorld(t, w.root, w.client) }

func newPod(uid types.UID, volumes ...corev1.Volume) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name, pod.Namespace, pod.UID, pod.Spec.Volumes = string(uid), "ns", uid, volumes
	pod.Spec.ServiceAccountName = "default"
	return pod
}

func emptyDir(name string, source corev1.EmptyDirVolumeSource) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &source}}
}

// within fails the test when f does not return in time.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s takes longer than %s", what, limit)
	}
}

// eventually waits for what must come true soon.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after 10 s: %s", what)
		}
	}
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode() & (os.ModePerm | os.ModeSetgid | os.ModeSticky)
}

// told are the Events so far.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

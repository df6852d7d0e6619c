package pods

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestInstancesThatNeverStartDoNotPileUp(t *testing.T) {
	onNode(t, func(n *testNode) {
		n.runtime.starting = map[string]error{"m1": errors.New("no such file")}
		pod := spec(corev1.RestartPolicyAlways, "m1")
		pod.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log"
		dir := filepath.Join(runtime.PodLogDir(n.PodLogsDir, pod), "m1")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // as if each wrote so much that its log was rotated
			for _, name := range []string{"%d.log", "%d.log.20260101-000000.gz", "%d.log.20260101-000001"} {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(name, i)), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		n.add(pod)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if tries, left := len(n.runtime.calls), n.runtime.instances("m1"); tries < 20 || left != 2 {
			t.Errorf("after %d tries %d instances are left, want 2", tries, left)
		}
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("logs are left: %v", left)
		}
		if left := files(t, filepath.Join(n.PodsDir, "u", "containers", "m1")); len(left) != 2 {
			t.Errorf("files of last words are left: %v", left)
		}
	})
}

func TestLogOfALongNameIsLinked(t *testing.T) {
	onNode(t, func(n *testNode) {
		pod := spec(corev1.RestartPolicyAlways, "m1")
		pod.Name, pod.Namespace = strings.Repeat("long.", 36)+"name", strings.Repeat("n", 60)
		n.add(pod)
		for restart := range 3 {
			links := files(t, n.ContainerLogsDir)
			if len(links) != 1 || len(links[0]) != 255 || !strings.HasPrefix(links[0], pod.Name+"_"+pod.Namespace) || !strings.HasSuffix(links[0], ".log") {
				t.Fatalf("links: %v", links)
			}
			target, err := os.Readlink(filepath.Join(n.ContainerLogsDir, links[0]))
			if want := fmt.Sprintf("m1/%d.log", restart); err != nil || !strings.HasSuffix(target, want) {
				t.Errorf("linked is %s, %v; want %s", target, err, want)
			}
			n.ends(pod, "m1", 1)
			time.Sleep(lastBackoff)
			synctest.Wait()
		}
	})
}

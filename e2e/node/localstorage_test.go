package node

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLocalVolumesAreMadeAndDeleted: a claim that says nothing of a class binds for its first Pod, keeps what the Pod wrote for the next,
// and takes it along when it goes.
func TestLocalVolumesAreMadeAndDeleted(t *testing.T) {
	m := newMachine(t)
	m.up(t)
	m.run(t, "image", "load", "--data-dir", m.dir, filepath.Join("..", "..", "bin", "images", "busybox.tar"))
	apply := func(manifest string) {
		t.Helper()
		cmd := m.command(t.Context(), "kubectl", "--kubeconfig", filepath.Join(m.dir, "admin.conf"), "apply", "-f", "-")
		cmd.Stdin = strings.NewReader(manifest)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("applying: %v\n%s", err, out)
		}
	}
	pod := func(name, command string) {
		t.Helper()
		apply(`{apiVersion: v1, kind: Pod, metadata: {name: ` + name + `}, spec: {restartPolicy: Never,
  securityContext: {runAsUser: 1234, runAsNonRoot: true},
  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}],
  containers: [{name: c, image: busybox, imagePullPolicy: Never, command: [sh, -c, "` + command + `"], volumeMounts: [{name: v, mountPath: /v}]}]}}`)
		m.kubectl(t, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+name, "--timeout=90s")
	}
	apply(`
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}`)
	pod("writes", "echo kept > /v/file")
	pod("reads", "grep kept /v/file")
	path := m.kubectl(t, "get", "pv", "-o", "jsonpath={.items[0].spec.local.path}")
	if !strings.HasPrefix(path, m.dir) {
		t.Errorf("the volume is in %q", path)
	}
	m.kubectl(t, "delete", "pod/writes", "pod/reads", "--wait=true", "--timeout=60s")
	name := m.kubectl(t, "get", "pvc", "c", "-o", "jsonpath={.spec.volumeName}")
	m.kubectl(t, "delete", "pvc/c", "--timeout=60s")
	m.kubectl(t, "wait", "--for=delete", "pv/"+name, "--timeout=60s")
}

package node

import (
	"path/filepath"
	"strings"
	"testing"
)

func (m *machine) apply(t *testing.T, manifest string) {
	t.Helper()
	cmd := m.command(t.Context(), "kubectl", "--kubeconfig", filepath.Join(m.dir, "admin.conf"), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("applying: %v\n%s", err, out)
	}
}

// finish runs a Pod with a claim, whoever may not be root, and waits until it has succeeded. more is what else is in its spec.
func (m *machine) finish(t *testing.T, name, claim, command, more string) {
	t.Helper()
	m.apply(t, `{apiVersion: v1, kind: Pod, metadata: {name: `+name+`}, spec: {restartPolicy: Never, `+more+`
  securityContext: {runAsUser: 1234, runAsNonRoot: true, fsGroup: 4321},
  volumes: [{name: v, persistentVolumeClaim: {claimName: `+claim+`}}],
  containers: [{name: c, image: busybox, imagePullPolicy: Never, command: [sh, -c, "`+command+`"], volumeMounts: [{name: v, mountPath: /v}]}]}}`)
	m.kubectl(t, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+name, "--timeout=90s")
}

func (m *machine) claim(t *testing.T, name, more string) {
	t.Helper()
	m.apply(t, `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: `+name+`}, spec: {`+more+`accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}`)
}

// TestLocalVolumesAreMadeAndDeleted: a claim that says nothing of a class binds for its first Pod, whoever places that, keeps what the
// Pod wrote for the next, outlives the cluster, and takes its data along when it goes.
func TestLocalVolumesAreMadeAndDeleted(t *testing.T) {
	m := newMachine(t)
	m.up(t)
	m.run(t, "image", "load", "--data-dir", m.dir, filepath.Join("..", "..", "bin", "images", "busybox.tar"))
	m.apply(t, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: now}, provisioner: coracle.io/local, volumeBindingMode: Immediate}`)
	m.claim(t, "now", "storageClassName: now, ")
	m.claim(t, "placed", "")
	m.claim(t, "c", "")
	m.kubectl(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/now", "--timeout=60s")
	m.finish(t, "placed", "placed", "true", "nodeName: n1,")
	m.finish(t, "writes", "c", "[ $(stat -c %g /v) = 4321 ] && echo kept > /v/file", "")
	m.kubectl(t, "patch", "pvc", "c", "-p", `{"spec": {"resources": {"requests": {"storage": "2Mi"}}}}`)
	m.kubectl(t, "wait", "--for=jsonpath={.status.capacity.storage}=2Mi", "pvc/c", "--timeout=60s")
	m.finish(t, "reads", "c", "grep kept /v/file", "")
	path := m.kubectl(t, "get", "pv", m.kubectl(t, "get", "pvc", "c", "-o", "jsonpath={.spec.volumeName}"), "-o", "jsonpath={.spec.local.path}")
	if !strings.HasPrefix(path, m.dir) {
		t.Errorf("the volume is in %q", path)
	}

	out := m.run(t, "reset", "--data-dir", m.dir)
	if !strings.Contains(out, "left 3 local volumes in "+filepath.Dir(path)) || !strings.Contains(out, filepath.Base(path)+"  default/c") {
		t.Errorf("reset says\n%s", out)
	}
	m.up(t)
	m.run(t, "image", "load", "--data-dir", m.dir, filepath.Join("..", "..", "bin", "images", "busybox.tar"))
	m.kubectl(t, "apply", "-f", filepath.Join(filepath.Dir(path), ".volumes"))
	m.claim(t, "c", "")
	m.finish(t, "adopts", "c", "grep kept /v/file", "")
	m.kubectl(t, "delete", "pod/adopts", "--timeout=60s")
	m.kubectl(t, "delete", "pvc/c", "--timeout=60s")
	m.kubectl(t, "wait", "--for=delete", "pv/"+filepath.Base(path), "--timeout=60s")
	if out := m.run(t, "reset", "--data-dir", m.dir, "--local-volumes"); !strings.Contains(out, "deleted 2 local volumes in "+filepath.Dir(path)+", and 1 that were deleted before") {
		t.Errorf("reset --local-volumes says\n%s", out)
	}
}

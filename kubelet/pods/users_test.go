package pods

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestUserRangesAreDistinctAndRemembered(t *testing.T) {
	dir := t.TempDir()
	u := newUserRanges(dir)
	hostID := func(u *userRanges, uid string) uint32 {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, uid), 0o700); err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{Spec: corev1.PodSpec{HostUsers: ptr.To(false)}}
		pod.UID = types.UID(uid)
		ns, err := u.of(pod)
		if err != nil {
			t.Fatal(err)
		}
		return ns.Uids[0].HostId
	}
	a, b := hostID(u, "a"), hostID(u, "b")
	if a != 65536 || b != 131072 || hostID(u, "a") != a {
		t.Errorf("got %d %d", a, b)
	}
	again := newUserRanges(dir)
	if c := hostID(again, "c"); c == a || c == b || hostID(again, "b") != b {
		t.Errorf("after a restart c has %d", c)
	}
	again.forget("a")
	if d := hostID(again, "d"); d != a {
		t.Errorf("a freed range is not used again: %d", d)
	}
	if ns, err := u.of(&corev1.Pod{}); ns != nil || err != nil {
		t.Errorf("a pod of the host's users has %v, %v", ns, err)
	}
}

package pods

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	// usersLength is how many users a Pod with a user namespace of its own has.
	usersLength = 1 << 16
	// maxUserRanges keeps the users of the last range below 2^31.
	maxUserRanges = 1<<15 - 2
	usersFile     = "userns"
)

// userRanges gives each Pod with a user namespace users of the host that no other has. The Pod's directory remembers
// them.
// https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/
type userRanges struct {
	dir string

	mu   sync.Mutex
	read bool
	pods map[types.UID]int
	used map[int]bool
}

func newUserRanges(podsDir string) *userRanges {
	return &userRanges{dir: podsDir, pods: map[types.UID]int{}, used: map[int]bool{}}
}

// of returns the Pod's user namespace, nil where it shares the host's. The Pod's directory must be there.
func (u *userRanges) of(pod *corev1.Pod) (*runtimeapi.UserNamespace, error) {
	if pod.Spec.HostUsers == nil || *pod.Spec.HostUsers {
		return nil, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.recall()
	slot, ok := u.pods[pod.UID]
	if !ok {
		for slot = 1; u.used[slot]; slot++ {
			if slot == maxUserRanges {
				return nil, errors.New("no range of users is left for another user namespace")
			}
		}
		if err := os.WriteFile(filepath.Join(u.dir, string(pod.UID), usersFile), []byte(strconv.Itoa(slot)), 0o600); err != nil {
			return nil, fmt.Errorf("remembering the range of users: %w", err)
		}
		u.pods[pod.UID], u.used[slot] = slot, true
	}
	mapping := func() []*runtimeapi.IDMapping {
		return []*runtimeapi.IDMapping{{HostId: uint32(slot) * usersLength, Length: usersLength}}
	}
	return &runtimeapi.UserNamespace{Mode: runtimeapi.NamespaceMode_POD, Uids: mapping(), Gids: mapping()}, nil
}

// recall reads what an earlier process gave. The lock is held.
func (u *userRanges) recall() {
	if u.read {
		return
	}
	u.read = true
	files, err := filepath.Glob(filepath.Join(u.dir, "*", usersFile))
	if err != nil {
		return
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if slot, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			u.pods[types.UID(filepath.Base(filepath.Dir(path)))], u.used[slot] = slot, true
		}
	}
}

// forget gives a Pod's range to others.
func (u *userRanges) forget(pod types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if slot, ok := u.pods[pod]; ok {
		delete(u.pods, pod)
		delete(u.used, slot)
	}
}

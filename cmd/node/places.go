package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ownerFile, in the kubelet's directory, names the data directory of the node whose Pods' volumes and logs are in the places that all
// nodes of a machine would use. That node keeps it locked while it runs.
const ownerFile = ".coracle-node"

// Claim makes the places of Pods' volumes and logs those of the node with a data directory, until what it returns is closed. They are
// upstream's places and so the same for all nodes: a second node on this machine, and another Kubernetes' kubelet, would take each
// other's Pods for left behind, and delete them.
func Claim(dataDir string) (*os.File, error) { return claim(kubeletDir, dataDir) }

func claim(dir, dataDir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := take(f, dir, dataDir); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func take(f *os.File, dir, dataDir string) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	owner := ownerOf(dir)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("the node of %s runs on this machine: a second one would delete its Pods' volumes in %s", owner, dir)
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	if ofAnother(dir, dataDir) && holdsPods(dir) {
		return fmt.Errorf("%s has the volumes of Pods of the node of %s, which would be deleted: coracle reset --data-dir %s first, or use that data directory", dir, owner, owner)
	}
	if owner == "" && holdsPods(dir) && foreign(dir) {
		return fmt.Errorf("%s has the volumes of another Kubernetes' Pods, which would be deleted: reset that one first", dir)
	}
	if owner == dataDir {
		return nil
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(dataDir+"\n"), 0)
	return err
}

// ownerOf is the data directory of the node that the places belong to; "" where nobody has claimed them.
func ownerOf(dir string) string {
	content, _ := os.ReadFile(filepath.Join(dir, ownerFile)) // what cannot be read names nobody
	return strings.TrimSpace(string(content))
}

// ofAnother tells whether the places belong to another node, which is still there.
func ofAnother(dir, dataDir string) bool {
	owner := ownerOf(dir)
	if owner == "" || owner == dataDir {
		return false
	}
	theirs, err := os.Stat(owner)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	ours, err := os.Stat(dataDir)
	return err != nil || !os.SameFile(theirs, ours) // one may be reached by a link
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func holdsPods(dir string) bool {
	entries, _ := os.ReadDir(filepath.Join(dir, "pods"))
	return len(entries) > 0
}

// foreign tells by files that Coracle does not make that the directory is another kubelet's.
func foreign(dir string) bool {
	for _, name := range []string{"cpu_manager_state", "memory_manager_state", "kubeadm-flags.env"} {
		if exists(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}

package containerd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// trace is a folder that runc keeps of a container. A shim takes it away, unless it is killed.
type trace struct {
	id, dir string
	made    time.Time
}

func tracesIn(l layout) (all []trace) {
	// A folder that cannot be read has nothing that could be removed.
	entries, _ := os.ReadDir(filepath.Join(l.runtimeState, namespace))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, trace{id: e.Name(), dir: filepath.Join(l.runtimeState, namespace, e.Name()), made: info.ModTime()})
		}
	}
	return all
}

// remove ends the container's first process, and with it the others of its process namespace, if it has outlived its shim.
func (t trace) remove() error {
	tree, err := readProcesses()
	if err != nil {
		return err
	}
	if err := signal(tree.recordedIn(filepath.Join(t.dir, "state.json")), unix.SIGKILL); err != nil {
		return err
	}
	return removal.Tree(t.dir)
}

// removeSockets removes those of shims that were killed: nobody listens.
func removeSockets(l layout, before time.Time) error {
	entries, _ := os.ReadDir(l.shimSockets) // likewise
	var failed []error
	for _, e := range entries {
		path := filepath.Join(l.shimSockets, e.Name())
		info, err := e.Info()
		if err != nil || info.Mode().Type() != os.ModeSocket || !info.ModTime().Before(before) {
			continue
		}
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			err = os.Remove(path)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				failed = append(failed, fmt.Errorf("removing the socket of a shim that is gone: %w", err))
			}
		}
	}
	return errors.Join(failed...)
}

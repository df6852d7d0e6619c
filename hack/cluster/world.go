package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// insideVariable says that this process runs in the cluster's world already.
const insideVariable = "CORACLE_CLUSTER_INSIDE"

// world is the namespaces around a cluster's machines: a machine itself, that of the clients, and the switch and router between
// the others. All of the cluster ends with it.
type world struct {
	name, dir string
}

// complete fills in and checks what the flags left open.
func (w *world) complete() error {
	if w.name == "" || strings.ContainsAny(w.name, "/ .") {
		return fmt.Errorf("--name: %q cannot be part of a file's name", w.name)
	}
	if w.dir == "" {
		w.dir = "/var/tmp/coracle-" + w.name
	}
	var err error
	if w.dir, err = filepath.Abs(w.dir); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	return nil
}

func (w *world) cgroup() string { return "/coracle-cluster-" + w.name }

// file holds the world's first process; the world keeps it locked while it is there.
func (w *world) file() string { return filepath.Join(w.dir, "world") }

// find is the running world, or nil.
func (w *world) find() (*machines.Machine, error) {
	f, err := os.Open(w.file())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, err
	}
	content, err := os.ReadFile(w.file())
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return nil, fmt.Errorf("reading %s: another command makes this cluster just now, or was killed then: %w", w.file(), err)
	}
	return &machines.Machine{Name: w.host(), PID: pid}, nil
}

func (w *world) host() string { return "coracle-" + w.name }

// make makes the world.
func (w *world) make() (*machines.Machine, error) {
	if reason := nodens.Unsupported(); reason != "" {
		return nil, fmt.Errorf("making namespaces: %s", reason)
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(w.file(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("locking %s: %w", w.file(), err)
	}
	m, err := machines.New(machines.Settings{Name: w.host(), Lock: f})
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(m.PID)+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(err, m.Destroy())
	}
	return m, nil
}

// inside says whether this process runs in the world. If it does not, it runs this command again there, and ends as that does.
func (w *world) inside() (bool, error) {
	if os.Getenv(insideVariable) != "" {
		return true, nil
	}
	m, err := w.find()
	if err != nil {
		return false, err
	}
	if m == nil {
		return false, fmt.Errorf("no cluster runs in %s: cluster up", w.dir)
	}
	return false, w.repeat(m)
}

// repeat runs this command again in the world.
func (w *world) repeat(m *machines.Machine) error {
	signal.Ignore(syscall.SIGINT) // the terminal sends it there, too
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var err error
	if cmd.Dir, err = os.Getwd(); err != nil {
		return err
	}
	return m.Run(cmd)
}

// destroy ends and removes all of the cluster. Idempotent.
func (w *world) destroy() error {
	m, err := w.find()
	if err != nil {
		return err
	}
	if m != nil {
		if err := m.Destroy(); err != nil {
			return err
		}
	}
	nodens.RemoveCgroup(w.cgroup())
	if _, err := os.Stat(w.file()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return os.RemoveAll(w.dir)
}

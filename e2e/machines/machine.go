// Package machines makes several machines of one: namespaces with processes, mounts, a network and a name of their own, joined by
// bridges, and clusters that run on them.
//
// A machine's first process is the init of its process namespace: when it is killed, the kernel takes processes, mounts and links
// away with it. All machines of a program live in the namespaces that it runs in itself, so that they end with those.
package machines

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is a set of namespaces. What it was made with is enough to find it again.
type Machine struct {
	// Name is its host name.
	Name string `json:"name"`
	// PID is its first process, in the process namespace of the program that made it.
	PID int `json:"pid"`
}

// Settings are what a new machine is to look like.
type Settings struct {
	Name string
	// Folders are those to be seen on this machine in place of the common ones: place to folder. Folders that a node writes and that
	// are not named here are in memory.
	Folders map[string]string
	// Lock is an open file that the machine is to keep open, and with it a lock on it. May be nil.
	Lock *os.File `json:"-"`
}

// New makes a machine: file systems and loopback, no other network. The calling program must call Init first of all in main.
func New(s Settings) (*Machine, error) {
	encoded, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	answer, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{title(s.Name)}
	cmd.Env = append(os.Environ(), settingsVariable+"="+string(encoded))
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{end}
	if s.Lock != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.Lock)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS, Setsid: true,
	}
	err = cmd.Start()
	end.Close()
	if err != nil {
		return nil, fmt.Errorf("making machine %s: %w", s.Name, err)
	}
	go func() { _ = cmd.Wait() }() // collects it when it has been destroyed
	said, err := io.ReadAll(answer)
	if err == nil && string(said) != furnished {
		err = errors.New(strings.TrimSpace(string(said)))
	}
	m := &Machine{Name: s.Name, PID: cmd.Process.Pid}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("furnishing machine %s: %w", s.Name, err), m.Destroy())
	}
	return m, nil
}

// title is what a machine's first process calls itself.
func title(name string) string { return "machine-" + name }

// Exists says whether the machine is there: it has not been destroyed, nor have the namespaces that it was made in.
func (m *Machine) Exists() bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m.PID))
	return err == nil && strings.TrimRight(string(line), "\x00") == title(m.Name)
}

// Destroy ends all that runs on the machine, as cutting its power would, and returns when the kernel has cleared it away.
// Idempotent.
func (m *Machine) Destroy() error {
	if !m.Exists() {
		return nil
	}
	if err := end(m.PID, unix.SIGKILL); err != nil {
		return fmt.Errorf("ending machine %s: %w", m.Name, err)
	}
	return nil
}

// end sends a process a signal that ends it, and returns when it has ended. No such process is no error.
func end(pid int, signal unix.Signal) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	if err := unix.PidfdSendSignal(pidfd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("ending process %d: %w", pid, err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 1000)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("waiting for the end of process %d: %w", pid, err)
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

package machines

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Start starts a command on the machine, as its caller would start it with cmd.Start. Its working directory is / unless set.
// The caller must wait for it, also if it is the machine's end that ends it: Destroy does not return before.
func (m *Machine) Start(cmd *exec.Cmd) error {
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	result := make(chan error)
	go func() {
		// The thread ends with this goroutine, for it cannot come back.
		runtime.LockOSThread()
		err := m.enter()
		if err == nil {
			err = cmd.Start()
		}
		result <- err
	}()
	if err := <-result; err != nil {
		return fmt.Errorf("starting %s on machine %s: %w", filepath.Base(cmd.Path), m.Name, err)
	}
	return nil
}

// Run runs a command on the machine, as its caller would run it with cmd.Run.
func (m *Machine) Run(cmd *exec.Cmd) error {
	if err := m.Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// Output runs a command on the machine and returns what it writes on stdout; the error tells what it writes on stderr.
func (m *Machine) Output(cmd *exec.Cmd) (string, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := m.Run(cmd); err != nil {
		return out.String(), fmt.Errorf("%s on machine %s: %w: %s", filepath.Base(cmd.Path), m.Name, err, bytes.TrimSpace(complaints.Bytes()))
	}
	return out.String(), nil
}

// enter moves the calling thread to the machine. Processes that it starts then are in the machine's process namespace, too.
func (m *Machine) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // a shared working directory forbids changing mount namespaces
		return fmt.Errorf("unsharing the working directory: %w", err)
	}
	pidfd, err := unix.PidfdOpen(m.PID, 0)
	if err != nil {
		return fmt.Errorf("finding its first process: %w", err)
	}
	defer unix.Close(pidfd)
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if err := unix.Setns(pidfd, all); err != nil {
		return fmt.Errorf("entering its namespaces: %w", err)
	}
	return nil
}

// Processes lists the processes on the machine that were started with these first arguments, in the caller's process namespace.
func (m *Machine) Processes(args ...string) ([]int, error) {
	inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.PID))
	if err != nil {
		return nil, fmt.Errorf("finding machine %s: %w", m.Name, err)
	}
	found, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return nil, err
	}
	var prefix []byte
	for _, a := range args {
		prefix = append(append(prefix, a...), 0)
	}
	var pids []int
	for _, link := range found {
		dir := filepath.Dir(filepath.Dir(link))
		if there, err := os.Readlink(link); err != nil || there != inside {
			continue
		}
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if pid, _ := strconv.Atoi(filepath.Base(dir)); err == nil && bytes.HasPrefix(line, prefix) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

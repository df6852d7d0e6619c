// Package nodens runs a program as if on a machine of its own: in new process, mount and network namespaces, with a cgroup to itself.
//
// A test binary or a benchmark enters at the start of main and is executed again inside. Everything that it starts there,
// containers included, ends with it, even when it is killed: its first process is the init of the process namespace, and
// the kernel takes processes, mounts, links and packet rules away with that. What remains of a killed run, empty cgroups,
// is removed by the next one of the same prefix.
package nodens

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// stage says in a re-executed process's environment what it is.
const (
	stage      = "CORACLE_NODENS"
	cgroupName = "CORACLE_NODENS_CGROUP"
)

// Address is the machine's address inside, on eth0; the default route leads there, to nobody.
const Address = "10.99.0.1"

// Enter runs this program again inside, with the same arguments, and returns inside=true there. The process outside gets
// inside=false and the exit code to end with. prefix names the cgroups; it must be the caller's own.
//
//	inside, code, err := nodens.Enter("crt-")
//	if err != nil || !inside { report err; os.Exit(code) }
func Enter(prefix string) (inside bool, code int, err error) {
	switch os.Getenv(stage) {
	case "inside":
		return true, 0, nil
	case "init":
		code, err := beInit()
		return false, code, err
	}
	if reason := Unsupported(); reason != "" {
		return false, 1, fmt.Errorf("entering namespaces: %s", reason)
	}
	name, err := newCgroup(prefix)
	if err != nil {
		return false, 1, fmt.Errorf("making a cgroup: %w", err)
	}
	defer RemoveCgroup(name)
	code, err = spawn(name)
	return false, code, err
}

// Main is TestMain's body: it runs the tests inside where that is possible; elsewhere it runs them here, and those that
// call Need skip themselves.
func Main(m *testing.M, prefix string) int {
	if Unsupported() != "" {
		return m.Run()
	}
	inside, code, err := Enter(prefix)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodens:", err)
		return 1
	}
	if inside {
		return m.Run()
	}
	return code
}

// Need skips a test that does not run inside, and says why.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(stage) == "inside" {
		return
	}
	if reason := Unsupported(); reason != "" {
		t.Skip("needs namespaces: " + reason)
	}
	t.Fatal("the package's TestMain does not call nodens.Main")
}

// CgroupRoot is the cgroup, as a path beneath each hierarchy's root, that a node inside is to use as its root.
func CgroupRoot() string { return "/" + os.Getenv(cgroupName) }

// Unsupported says why namespaces cannot be entered here, or nothing.
func Unsupported() string {
	if os.Getenv(stage) != "" {
		return ""
	}
	if os.Geteuid() != 0 {
		return "not root"
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		var set uint64
		if _, err := fmt.Sscanf(line, "CapEff: %x", &set); err == nil && set&(1<<unix.CAP_SYS_ADMIN) == 0 {
			return "no CAP_SYS_ADMIN"
		}
	}
	return ""
}

// spawn starts the init process and waits for it. The thread is kept: the init dies with the thread that made it.
func spawn(cgroup string) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stage+"=init", cgroupName+"="+cgroup)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, fmt.Errorf("entering namespaces: %w", err)
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, fmt.Errorf("inside: %s", cmd.ProcessState)
}

// beInit is the first process inside: it furnishes the machine, runs the program and collects orphans until that ends.
func beInit() (int, error) {
	if err := furnish(); err != nil {
		return 1, fmt.Errorf("furnishing the namespaces: %w", err)
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 1, err
	}
	if err := os.Setenv(stage, "inside"); err != nil {
		return 1, err
	}
	p, err := os.StartProcess(self, os.Args, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 1, err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 1, err
		}
		if pid != p.Pid {
			continue
		}
		if status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return status.ExitStatus(), nil
	}
}

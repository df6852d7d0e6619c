package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that was executed on a node.
type process struct {
	cmd *exec.Cmd
	// ended is closed when it has.
	ended chan struct{}
}

// execute starts one of the programs in the background, unless it runs, with its output going to a log of its name.
func (n *node) execute(name string, args []string) error {
	if n.running(name) {
		return nil
	}
	log, err := os.OpenFile(n.file(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(n.programs, name), args...)
	cmd.Env = append(os.Environ(), "PATH="+n.programs+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := n.machine.Start(cmd); err != nil {
		return err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the log says why it ended
		close(p.ended)
	}()
	n.processes[name] = p
	return nil
}

// running says whether a program was executed and has not ended.
func (n *node) running(name string) bool {
	p, ok := n.processes[name]
	if !ok {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop asks a program to end and returns when it has. Idempotent.
func (n *node) stop(name string) error {
	ended, err := n.signal(name, unix.SIGTERM)
	if err != nil || ended {
		return err
	}
	return n.kill(name) // the API server would wait a minute for those who watch
}

// kill ends a program with kill -9. Idempotent.
func (n *node) kill(name string) error {
	ended, err := n.signal(name, unix.SIGKILL)
	if err == nil && !ended {
		err = fmt.Errorf("%s does not end", name)
	}
	return err
}

// grace is how long a program may take to end.
const grace = 10 * time.Second

// signal sends a program, if it runs, a signal that ends it, and says whether it has ended in time.
func (n *node) signal(name string, signal unix.Signal) (ended bool, err error) {
	if !n.running(name) {
		return true, nil
	}
	p := n.processes[name]
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("ending %s: %w", name, err)
	}
	select {
	case <-p.ended:
		return true, nil
	case <-time.After(grace):
		return false, nil
	}
}

// containerProcesses lists the processes, of any machine, that were executed by this name.
func containerProcesses(name string) ([]int, error) {
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []int
	for _, file := range found {
		line, err := os.ReadFile(file)
		if err != nil { // it has ended
			continue
		}
		first, _, _ := bytes.Cut(line, []byte{0})
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && string(first) == name {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// command is a running suite: the runner and its processes, a process group of their own.
type command struct {
	cmd  *exec.Cmd
	gone chan error
	// stalled is set when the suite was stopped because nothing went on.
	stalled atomic.Bool
}

// start runs a command line with one pipe as its output.
func start(line []string) (*command, *os.File, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	c := &command{cmd: exec.Command(line[0], line[1:]...), gone: make(chan error, 1)}
	c.cmd.Stdout, c.cmd.Stderr = in, in
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the death signal comes when the thread ends that started it
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = c.cmd.Wait()
		c.signal(syscall.SIGKILL) // what the runner left
		c.gone <- err
	}()
	if err := <-started; err != nil {
		out.Close()
		return nil, nil, err
	}
	return c, out, nil
}

func (c *command) signal(s syscall.Signal) { _ = syscall.Kill(-c.cmd.Process.Pid, s) }

// wait returns how the runner ended.
func (c *command) wait() error {
	if err := <-c.gone; err != nil {
		return fmt.Errorf("the suite ended with %w", err)
	}
	return nil
}

// grace is how long the suite may take to clean up after it was told to stop.
const grace = 2 * time.Minute

// watch stops the suite when the context is done, or when nothing was heard on progress for the stall time. It returns when
// stop is closed.
func (c *command) watch(ctx context.Context, progress, stop <-chan struct{}, stall time.Duration) {
	timer := time.NewTimer(stall)
	defer timer.Stop()
	done, signal := ctx.Done(), syscall.SIGINT
	for {
		select {
		case <-stop:
			return
		case <-progress:
			if signal == syscall.SIGINT {
				timer.Reset(stall)
			}
			continue
		case <-done:
			done = nil
		case <-timer.C:
			if ctx.Err() == nil {
				c.stalled.Store(true)
			}
		}
		c.signal(signal)
		signal = syscall.SIGKILL
		timer.Reset(grace)
	}
}

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	logName   = "server.log"
	flagsFile = "up.flags"
)

// detach starts this program with args in a session of its own. The channel is closed when it ends.
func detach(args []string, logFile string) (<-chan struct{}, error) {
	log, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(executable(), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	exited := make(chan struct{})
	guard.GoThen("waiting for the server", cmd.Wait, func(error) { close(exited) }) // the log says why
	return exited, nil
}

// terminate ends a process of ours: asks, waits, and kills it if it does not listen. No such process is no error.
func terminate(ctx context.Context, pid int, patience time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, patience}, {unix.SIGKILL, 10 * time.Second}} {
		if err := unix.PidfdSendSignal(fd, step.signal, nil, 0); errors.Is(err, unix.ESRCH) {
			return nil
		} else if err != nil {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		if ended, err := waitExit(ctx, fd, step.wait); err != nil || ended {
			return err
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

func waitExit(ctx context.Context, pidfd int, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false, ctx.Err()
		}
	}
}

// executable is the path of this program, for starting it again and for telling the user.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func onPath(tool string) bool {
	_, err := exec.LookPath(tool)
	return err == nil
}

func encodeFlags(flags []string) []byte { return []byte(strings.Join(flags, "\n")) }

func decodeFlags(saved []byte) []string {
	if len(saved) == 0 {
		return nil
	}
	return strings.Split(string(saved), "\n")
}

func withoutDataDir(flags []string) (rest []string) {
	for _, f := range flags {
		if !strings.HasPrefix(f, "--data-dir=") {
			rest = append(rest, f)
		}
	}
	return rest
}

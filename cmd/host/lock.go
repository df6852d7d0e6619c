package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pidFile holds the process number of the server that runs on a data directory, which keeps it locked.
const pidFile = "server.pid"

// lock claims a data directory until the file that it returns is closed, or the process ends. The error names the process that
// has it.
func lock(dataDir string) (*os.File, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dataDir, pidFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("coracle runs on %s already (process %d); stop it, or choose another --data-dir", dataDir, readPID(f))
		}
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		return nil, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	return f, nil
}

// waitTurn makes a data directory and waits until nobody else starts a server there, which the file that it returns keeps others
// from doing until it is closed.
func waitTurn(ctx context.Context, dataDir string) (*os.File, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	dir, err := os.Open(dataDir)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			dir.Close()
			return nil, fmt.Errorf("locking the data directory: %w", err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			dir.Close()
			return nil, fmt.Errorf("waiting for another coracle up on %s: %w", dataDir, err)
		}
	}
}

// runningPID is the process of the server that runs on a data directory, 0 if none does. A pid file that nobody keeps locked
// is an old one's.
func runningPID(dataDir string) (int, error) {
	f, err := os.Open(filepath.Join(dataDir, pidFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return readPID(f), nil
	}
	return 0, err
}

func readPID(f *os.File) int {
	content := make([]byte, 32)
	n, _ := f.ReadAt(content, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(content[:n])))
	return pid
}

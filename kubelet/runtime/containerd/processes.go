package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// grace is what containers have between being asked to end and being made to.
	grace = 3 * time.Second
	// patience is what the kernel has to end what was killed.
	patience = 20 * time.Second
	// glance is the pause between looks at what is left.
	glance = 5 * time.Millisecond
)

// endProcesses ends all containers of a layout and then their shims. A shim is the parent of all that its containers leave
// behind, so nothing is lost sight of while it lives; containers without one are found by runc's records.
func endProcesses(ctx context.Context, l layout) error {
	shims := func(t processTree) []int { return t.shims(l.socket) }
	contained := func(t processTree) []int { return append(t.beneath(shims(t)), t.recorded(l.runtimeState)...) }
	tree, err := readProcesses()
	if err != nil {
		return err
	}
	if err := signal(tree.inits(l), unix.SIGTERM); err != nil {
		return err
	}
	if err := await(ctx, grace, contained, 0); err != nil && !errors.Is(err, errLeft) {
		return err
	}
	if err := await(ctx, patience, contained, unix.SIGKILL); err != nil {
		return fmt.Errorf("ending containers: %w", err)
	}
	if err := await(ctx, patience, shims, unix.SIGKILL); err != nil {
		return fmt.Errorf("ending shims: %w", err)
	}
	return nil
}

var errLeft = errors.New("processes are left")

// await sends a signal, if any, to the processes that which returns, again and again until there are none.
func await(ctx context.Context, limit time.Duration, which func(processTree) []int, s unix.Signal) error {
	for end := time.Now().Add(limit); ; {
		tree, err := readProcesses()
		if err != nil {
			return err
		}
		left := which(tree)
		if len(left) == 0 {
			return nil
		}
		if s != 0 {
			if err := signal(left, s); err != nil {
				return err
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: %v", errLeft, left)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(glance):
		}
	}
}

func signal(pids []int, s unix.Signal) error {
	var failed []error
	for _, pid := range pids {
		if err := unix.Kill(pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
			failed = append(failed, fmt.Errorf("signalling process %d: %w", pid, err))
		}
	}
	return errors.Join(failed...)
}

// process is what /proc says of one.
type process struct {
	parent  int
	state   string // one letter
	started uint64 // in the kernel's ticks since it booted
	cmdline string
}

// processTree are all processes by number.
type processTree map[int]process

func readProcesses() (processTree, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	tree := processTree{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // gone
		}
		p, err := parseStat(string(stat))
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		p.cmdline = string(cmdline)
		tree[pid] = p
	}
	return tree, nil
}

// parseStat reads a line of /proc/<pid>/stat. The name, second and in parentheses, may have any character.
func parseStat(stat string) (process, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return process{}, fmt.Errorf("reading its status: %q", stat)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, fmt.Errorf("reading its parent: %w", err)
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("reading its start: %w", err)
	}
	return process{parent: parent, state: fields[0], started: started}, nil
}

// shims are those of the containerd on a socket.
func (t processTree) shims(socket string) []int {
	var pids []int
	for pid, p := range t {
		if isShim(p.cmdline, socket) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// beneath are all descendants, zombies excepted: they are ended.
func (t processTree) beneath(roots []int) []int {
	within := map[int]bool{}
	for _, pid := range roots {
		within[pid] = true
	}
	var pids []int
	for changed := true; changed; {
		changed = false
		for pid, p := range t {
			if within[p.parent] && !within[pid] {
				within[pid], changed = true, true
				if p.state != "Z" {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// inits are the first processes of containers: the shims' children and those of runc's records.
func (t processTree) inits(l layout) []int {
	pids := t.recorded(l.runtimeState)
	for _, shim := range t.shims(l.socket) {
		for pid, p := range t {
			if p.parent == shim && p.state != "Z" {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// recorded are the first processes of containers that runc has in its records and that live.
func (t processTree) recorded(runtimeState string) []int {
	files, _ := filepath.Glob(filepath.Join(runtimeState, "*", "*", "state.json"))
	return t.recordedIn(files...)
}

// recordedIn are those of such records.
func (t processTree) recordedIn(files ...string) []int {
	var pids []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var state struct {
			Pid   int    `json:"init_process_pid"`
			Start uint64 `json:"init_process_start"`
		}
		if err != nil || json.Unmarshal(content, &state) != nil {
			continue
		}
		if p, lives := t[state.Pid]; lives && p.started == state.Start && p.state != "Z" {
			pids = append(pids, state.Pid)
		}
	}
	return pids
}

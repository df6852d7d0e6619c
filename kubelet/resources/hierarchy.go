package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// mountpoint is where cgroups are shown.
const mountpoint = "/sys/fs/cgroup"

// hierarchies are the directories of all mounted hierarchies: one of version 2, one for each controller of version 1.
func hierarchies() []string {
	if cgroups.IsCgroup2UnifiedMode() {
		return []string{mountpoint}
	}
	entries, err := os.ReadDir(mountpoint)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() { // links stand for a second name of the same hierarchy
			dirs = append(dirs, filepath.Join(mountpoint, e.Name()))
		}
	}
	return dirs
}

// delegate makes version 2's controllers available beneath a cgroup. One that has processes cannot hand controllers on, the
// machine's root excepted: its processes then move to a cgroup beneath it, where nothing is limited.
func delegate(path string) error {
	if !cgroups.IsCgroup2UnifiedMode() {
		return nil
	}
	dir := mountpoint
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := 0; ; i++ {
		if err := enable(dir); err != nil {
			return err
		}
		if i == len(parts) || parts[i] == "" {
			return nil
		}
		dir = filepath.Join(dir, parts[i])
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// enable hands on all controllers that a cgroup has.
func enable(dir string) error {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	control := filepath.Join(dir, "cgroup.subtree_control")
	enabled, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	missing := difference(strings.Fields(string(available)), strings.Fields(string(enabled)))
	if len(missing) == 0 {
		return nil
	}
	wanted := []byte("+" + strings.Join(missing, " +"))
	err = os.WriteFile(control, wanted, 0)
	if errors.Is(err, unix.EBUSY) {
		if err := vacate(dir); err != nil {
			return fmt.Errorf("moving processes out of the way: %w", err)
		}
		err = os.WriteFile(control, wanted, 0)
	}
	if err == nil {
		return nil
	}
	// One controller that cannot be handed on, as cpu beside processes of real time, must not keep back the others.
	for _, controller := range missing {
		if err := os.WriteFile(control, []byte("+"+controller), 0); err != nil && (controller == "cpu" || controller == "memory" || controller == "pids") {
			return fmt.Errorf("enabling %s beneath %s: %w", controller, dir, err)
		}
	}
	return nil
}

func difference(all, without []string) []string {
	var rest []string
	for _, a := range all {
		found := false
		for _, w := range without {
			found = found || a == w
		}
		if !found {
			rest = append(rest, a)
		}
	}
	return rest
}

// vacate moves a cgroup's own processes to one beneath it.
func vacate(dir string) error {
	leaf := filepath.Join(dir, "coracle")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for range 10 { // processes may be born meanwhile
		pids, err := processes(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
			if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) { // gone, or the kernel's
				return err
			}
		}
	}
	return nil
}

// processes are those in a cgroup itself.
func processes(dir string) ([]int, error) {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range bytes.Lines(content) {
		if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// destroy kills what is in a cgroup and beneath it and removes them all, in every hierarchy. The kernel may need a moment
// to let go of what was killed.
func destroy(path string) error {
	var failed error
	for wait := time.Millisecond; wait < 2*time.Second; wait *= 2 {
		failed = nil
		for _, h := range hierarchies() {
			failed = errors.Join(failed, destroyIn(filepath.Join(h, path)))
		}
		if failed == nil {
			return nil
		}
		time.Sleep(wait)
	}
	return failed
}

func destroyIn(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && e.IsDir() {
			dirs = append(dirs, p)
		}
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for i := len(dirs) - 1; i >= 0; i-- {
		err := unix.Rmdir(dirs[i])
		if errors.Is(err, unix.EBUSY) {
			err = errors.Join(err, kill(dirs[i]))
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			failed = errors.Join(failed, fmt.Errorf("removing %s: %w", dirs[i], err))
		}
	}
	return failed
}

func kill(dir string) error {
	pids, err := processes(dir)
	for _, pid := range pids {
		if e := unix.Kill(pid, unix.SIGKILL); e != nil && !errors.Is(e, unix.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// swapAccounting says whether swap can be limited beneath a cgroup.
func swapAccounting(path string) bool {
	file := filepath.Join(mountpoint, "memory", "memory.memsw.limit_in_bytes")
	if cgroups.IsCgroup2UnifiedMode() {
		file = filepath.Join(mountpoint, path, "memory.swap.max")
	}
	_, err := os.Stat(file)
	return err == nil
}

// LimitsHugePages says whether the use of pages of other sizes can be limited.
func LimitsHugePages() bool {
	if cgroups.IsCgroup2UnifiedMode() {
		controllers, err := os.ReadFile(filepath.Join(mountpoint, "cgroup.controllers"))
		return err == nil && bytes.Contains(controllers, []byte("hugetlb"))
	}
	// A folder alone is none: systemd makes it before it mounts, which containers may not do.
	_, err := os.Stat(filepath.Join(mountpoint, "hugetlb", "cgroup.procs"))
	return err == nil
}

package nodens

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const hierarchies = "/sys/fs/cgroup"

// newCgroup names a cgroup for this run, after removing those of the same prefix whose runs are over. Making it is up to
// the node.
func newCgroup(prefix string) (string, error) {
	roots, err := cgroupRoots()
	if err != nil {
		return "", err
	}
	for _, root := range roots {
		stale, err := filepath.Glob(filepath.Join(root, prefix+"[0-9]*"))
		if err != nil {
			return "", err
		}
		for _, path := range stale {
			pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), prefix))
			if err == nil && pid != os.Getpid() && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				removeTree(path)
			}
		}
	}
	return fmt.Sprintf("%s%d", prefix, os.Getpid()), nil
}

// RemoveCgroup removes a cgroup, given by its path beneath each hierarchy's root, and all beneath it. One with processes in it
// stays.
func RemoveCgroup(path string) {
	roots, err := cgroupRoots()
	if err != nil {
		return
	}
	for _, root := range roots {
		removeTree(filepath.Join(root, path))
	}
}

// cgroupRoots lists the mounted hierarchies: one with version 2, several with version 1.
func cgroupRoots() ([]string, error) {
	if _, err := os.Stat(filepath.Join(hierarchies, "cgroup.controllers")); err == nil {
		return []string{hierarchies}, nil
	}
	entries, err := os.ReadDir(hierarchies)
	var roots []string
	for _, e := range entries {
		if e.IsDir() {
			roots = append(roots, filepath.Join(hierarchies, e.Name()))
		}
	}
	return roots, err
}

// removeTree removes a cgroup and those beneath it, children first. One that is in use stays.
func removeTree(path string) {
	var dirs []string
	filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		unix.Rmdir(dirs[i])
	}
}

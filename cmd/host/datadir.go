package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/kubelet/removal"
)

// Names in a data directory that are coracle's; the images and the registries' settings are for people to put there beforehand. A name
// that ends with * is a beginning.
func ourNames() []string {
	return []string{
		"pki", "etcd", "etcd-*", "snapshots", "containerd", "bin", "network", "images", "image_manager", "certs.d", "cluster.json",
		cluster.AdminKubeconfig, serverOptions, agentOptions, flagsFile, logName + "*", pidFile,
		"." + cluster.AdminKubeconfig + ".*", "." + serverOptions + ".*", "." + agentOptions + ".*", "." + flagsFile + ".*", ".cluster.json.*", // while they are written
	}
}

// isVolumes tells of what a reset leaves, for the next cluster or to be deleted on its own.
func isVolumes(name string) bool { return name == node.StorageName || name == node.PoolsFile }

func isOurs(name string) bool {
	return slices.ContainsFunc(ourNames(), func(ours string) bool {
		begin, many := strings.CutSuffix(ours, "*")
		return name == ours || many && strings.HasPrefix(name, begin)
	})
}

// checkOurs refuses a directory that has something in it and was never coracle's: what is deleted with a cluster must not lie among
// somebody's files.
func checkOurs(dataDir string) error {
	entries, err := os.ReadDir(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	foreign := ""
	for _, e := range entries {
		switch name := e.Name(); {
		case name == pidFile || name == serverOptions || name == agentOptions:
			return nil
		case name == "lost+found": // of a disk of its own
		case foreign == "" && !isOurs(name) && !isVolumes(name):
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("--data-dir: %s is no data directory of coracle's, it has %s: choose a new or an empty one", dataDir, foreign)
	}
	return nil
}

// removeState deletes what coracle keeps in a data directory, and the directory if nothing else is in it; what else there is it
// returns. It deletes nothing in a directory that is none of ours, and goes through no mount and no symbolic link: what is mounted
// stays, and is named in the error. A link to the directory, or the disk that it is, stays.
func removeState(dataDir string) (left []string, err error) {
	entries, err := os.ReadDir(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return isVolumes(e.Name()) })
	if _, err := os.Stat(filepath.Join(dataDir, pidFile)); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is no data directory of a cluster (it has no %s): nothing deleted", dataDir, pidFile)
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == pidFile:
		case isOurs(name):
			err = errors.Join(err, removal.Tree(filepath.Join(dataDir, name)))
		default:
			left = append(left, filepath.Join(dataDir, name))
		}
	}
	if err != nil {
		return left, err // with its mark, so that reset can be tried again
	}
	if err := os.Remove(filepath.Join(dataDir, pidFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return left, err
	}
	if err := unix.Rmdir(dataDir); err != nil && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return left, fmt.Errorf("removing %s: %w", dataDir, err)
	}
	return left, nil
}

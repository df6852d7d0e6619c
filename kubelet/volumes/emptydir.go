package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// makeEmptyDir makes the directory, on memory where that is asked for, with at most memory bytes. One that is there already is left
// as it is, also after a restart: its owner and mode are the Pod's to change.
func makeEmptyDir(dir string, source *corev1.EmptyDirVolumeSource, group *int64, memory int64) error {
	medium := string(source.Medium)
	huge := strings.HasPrefix(medium, string(corev1.StorageMediumHugePages))
	if medium != "" && medium != string(corev1.StorageMediumMemory) && !huge {
		return fmt.Errorf("unknown storage medium %q", medium)
	}
	if err := makeDir(dir, group); err != nil || medium == "" {
		return err
	}
	if huge {
		return mountHugePages(dir, medium, group)
	}
	return mountTmpfs(dir, memory, 0o1777, group)
}

// memoryFor is how much an emptyDir in memory may hold: never more than its Pod may use, or all Pods of the node together.
func (v *Volumes) memoryFor(pod *corev1.Pod, source *corev1.EmptyDirVolumeSource) int64 {
	if source.Medium != corev1.StorageMediumMemory {
		return 0
	}
	allocatable := v.Node().Allocatable
	size := allocatable.Memory().Value()
	if limit := resources.MemoryLimit(pod); limit > 0 && (size == 0 || limit < size) {
		size = limit
	}
	if source.SizeLimit != nil {
		if limit := source.SizeLimit.Value(); limit > 0 && (size == 0 || limit < size) {
			size = limit
		}
	}
	return size
}

// makeDir makes a directory for everybody, or for a group, unless there is one. It is complete as soon as it is there.
func makeDir(dir string, group *int64) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".made-")
	if err != nil {
		return err
	}
	mode := os.FileMode(0o777)
	if group != nil {
		mode |= os.ModeSetgid
		err = os.Chown(fresh, -1, int(*group))
	}
	if err == nil {
		err = os.Chmod(fresh, mode)
	}
	if err == nil {
		err = os.Rename(fresh, dir)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return nil
}

// mountTmpfs mounts memory on the directory unless something is mounted there. Size 0 is half of the node's memory.
func mountTmpfs(dir string, size int64, mode uint32, group *int64) error {
	if mounted, err := mountinfo.Mounted(dir); err != nil || mounted {
		return err
	}
	data := owned(mode, group)
	if size > 0 {
		data += fmt.Sprintf(",size=%d", size)
	}
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, data+",noswap")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, data) // before Linux 6.4
	}
	if err != nil {
		return fmt.Errorf("mounting memory on %s: %w", dir, err)
	}
	return nil
}

func mountHugePages(dir, medium string, group *int64) error {
	if mounted, err := mountinfo.Mounted(dir); err != nil || mounted {
		return err
	}
	options := owned(0o777, group)
	if _, size, ok := strings.Cut(medium, "-"); ok {
		options += ",pagesize=" + strings.TrimSuffix(size, "i")
	}
	if err := unix.Mount("nodev", dir, "hugetlbfs", 0, options); err != nil {
		return fmt.Errorf("mounting huge pages on %s: %w", dir, err)
	}
	return nil
}

// owned are mount options: the root's mode and group.
func owned(mode uint32, group *int64) string {
	if group == nil {
		return fmt.Sprintf("mode=%o", mode)
	}
	return fmt.Sprintf("mode=%o,gid=%d", mode|unix.S_ISGID, *group)
}

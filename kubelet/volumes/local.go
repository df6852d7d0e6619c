package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/guard"
)

// marksDir holds, within a Pod's directory, empty files that say what was done for the Pod and is not to be done again.
const marksDir = "volume-marks"

func marked(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func setMark(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o600)
}

// useLocal checks a local volume's directory and, once for each Pod, makes it belong to the Pod's group.
func (v *Volumes) useLocal(ctx context.Context, pod *corev1.Pod, made volumeState, before bool) error {
	var info os.FileInfo
	err := patiently(ctx, func() (err error) { info, err = os.Stat(made.path); return err })
	if err != nil {
		return err
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return fmt.Errorf("%s of volume %s is neither a directory nor a file; a device can be used with volumeMode Block only", made.path, made.volume)
	}
	group := fsGroup(pod)
	if group == nil || made.readOnly || before {
		return nil
	}
	if v.usedElsewhere(pod, made.volume) {
		if owner := int64(info.Sys().(*syscall.Stat_t).Gid); owner != *group {
			v.Event(pod, "AlreadyMountedVolume", fmt.Sprintf("The requested fsGroup is %d, but the volume %s has GID %d. The volume may not be shareable.", *group, made.volume, owner))
		}
		return nil
	}
	if onlyRoot := pod.Spec.SecurityContext.FSGroupChangePolicy; onlyRoot != nil && *onlyRoot == corev1.FSGroupChangeOnRootMismatch && belongs(info, *group) {
		return nil
	}
	return v.own(ctx, pod, made, *group)
}

// belongs tells whether a directory is a group's already.
func belongs(dir os.FileInfo, group int64) bool {
	const all = 0o770
	return dir.IsDir() && int64(dir.Sys().(*syscall.Stat_t).Gid) == group && dir.Mode().Perm()&all == all && dir.Mode()&fs.ModeSetgid != 0
}

// Pauses before it is said that a volume has many files, and how many there are.
const (
	firstProgress = 30 * time.Second
	nextProgress  = time.Minute
)

// own makes all in a volume a group's, the top last: that it is says that all is.
func (v *Volumes) own(ctx context.Context, pod *corev1.Pod, made volumeState, group int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var files atomic.Int64
	guard.Go("report slow volumes", func() {
		for pause := firstProgress; ; pause = nextProgress {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
				v.Event(pod, "VolumePermissionChangeInProgress", fmt.Sprintf("Setting volume ownership for %s, processed %d files; consider fsGroupChangePolicy OnRootMismatch.", made.volume, files.Load()))
			}
		}
	})
	return patiently(ctx, func() error { return ownTree(ctx, made.path, group, &files) })
}

func ownTree(ctx context.Context, dir string, group int64, files *atomic.Int64) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, syscall.ENOTDIR) {
		return ownFile(os.Lchown, os.Lstat, os.Chmod, dir, group)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		files.Add(1)
		if err := ownFile(root.Lchown, root.Lstat, root.Chmod, path, group); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return ownFile(root.Lchown, root.Lstat, root.Chmod, ".", group)
}

// ownFile gives a file to a group, by functions of a file system. Links are only given: their mode means nothing.
func ownFile(chown func(string, int, int) error, stat func(string) (fs.FileInfo, error), chmod func(string, fs.FileMode) error, path string, group int64) error {
	info, err := stat(path)
	if err != nil {
		return err
	}
	if err := chown(path, -1, int(group)); err != nil {
		return err
	}
	mode := info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return nil
	case info.IsDir():
		mode |= fs.ModeSetgid | 0o770
	default:
		mode |= 0o660
	}
	return chmod(path, mode)
}

package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

// subPathsDir holds, within a Pod's directory, the mounts of parts of volumes.
const subPathsDir = "volume-subpaths"

// source is what of the node is mounted: the volume, or a part of it, which is pinned so that nothing in the volume can
// lead elsewhere.
func source(ctx context.Context, root, volume, part, target string) (string, error) {
	if err := patiently(ctx, func() error { return makeHostPath(root) }); err != nil || part == "" {
		return root, err
	}
	if filepath.IsAbs(part) {
		return "", fmt.Errorf("error SubPath `%s` must not be an absolute path", part)
	}
	for element := range strings.SplitSeq(part, "/") {
		if element == ".." {
			return "", fmt.Errorf("unable to use SubPath %q: must not contain '..'", part)
		}
	}
	if err := pin(root, part, target); err != nil {
		return "", fmt.Errorf("preparing subPath %q of volume %q: %w", part, volume, err)
	}
	return target, nil
}

// makeHostPath makes a missing directory of the host, as the runtime would.
func makeHostPath(path string) error {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(path, 0o755)
	}
	return nil // what else is wrong the runtime says
}

// pin mounts root/part on target. Links are followed within root only, and what was found is mounted by handle: between
// the look and the mount nothing can be exchanged.
func pin(root, part, target string) error {
	source, err := openBeneath(root, part)
	if errors.Is(err, fs.ErrNotExist) {
		source, err = makeBeneath(root, part)
	}
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	if err := clearTarget(target); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o750)
	} else {
		err = makeFile(target)
	}
	if err != nil {
		return err
	}
	handle := fmt.Sprintf("/proc/self/fd/%d", source.Fd())
	return unix.Mount(handle, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// openBeneath opens a path for nothing but to be referred to; it never leaves root.
func openBeneath(root, part string) (*os.File, error) {
	handle, err := securejoin.OpenInRoot(root, part)
	if err != nil {
		return nil, err
	}
	return handle, nil
}

// makeBeneath makes a directory as wide open as the volume itself, and of the same group where that goes on to what is made in it.
func makeBeneath(root, part string) (*os.File, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	top, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	made, err := securejoin.MkdirAllHandle(top, part, info.Mode().Perm())
	if err != nil {
		return nil, err
	}
	// The umask took something away, and mkdir gives no other bits than permissions.
	if err := made.Chmod(info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSticky)); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

func clearTarget(target string) error {
	for {
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}

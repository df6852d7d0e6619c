package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// checkHostPath makes sure that the path is what the volume says it is.
// https://kubernetes.io/docs/concepts/storage/volumes/#hostpath
func checkHostPath(source *corev1.HostPathVolumeSource) error {
	if source.Type == nil || *source.Type == corev1.HostPathUnset {
		return nil
	}
	path := source.Path
	switch *source.Type {
	case corev1.HostPathDirectoryOrCreate:
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	case corev1.HostPathFileOrCreate:
		f, err := os.OpenFile(path, os.O_CREATE, 0o644)
		if err != nil && !errors.Is(err, unix.EISDIR) {
			return err
		}
		if err == nil {
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("hostPath type check failed: %s is not a %s", path, hostPathNoun(*source.Type))
	}
	if err != nil {
		return err
	}
	m := info.Mode()
	ok := false
	switch *source.Type {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		ok = m.IsDir()
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		ok = m.IsRegular()
	case corev1.HostPathSocket:
		ok = m&fs.ModeSocket != 0
	case corev1.HostPathCharDev:
		ok = m&fs.ModeCharDevice != 0
	case corev1.HostPathBlockDev:
		ok = m&fs.ModeDevice != 0 && m&fs.ModeCharDevice == 0
	}
	if !ok {
		return fmt.Errorf("hostPath type check failed: %s is not a %s", path, hostPathNoun(*source.Type))
	}
	return nil
}

func hostPathNoun(t corev1.HostPathType) string {
	switch t {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		return "directory"
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		return "file"
	case corev1.HostPathSocket:
		return "socket file"
	case corev1.HostPathCharDev:
		return "character device"
	}
	return "block device"
}

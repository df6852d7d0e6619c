package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// makeEmptyDir makes the directory, on memory where that is asked for.
func makeEmptyDir(dir string, source *corev1.EmptyDirVolumeSource, group *int64) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	switch medium := string(source.Medium); {
	case medium == string(corev1.StorageMediumMemory):
		size := int64(0)
		if source.SizeLimit != nil {
			size = source.SizeLimit.Value()
		}
		if err := mountTmpfs(dir, size, "mode=0777"); err != nil {
			return err
		}
	case strings.HasPrefix(medium, string(corev1.StorageMediumHugePages)):
		if err := mountHugePages(dir, medium); err != nil {
			return err
		}
	case medium != "":
		return fmt.Errorf("unknown storage medium %q", medium)
	}
	top := os.FileMode(0o777)
	if group != nil {
		top |= os.ModeSetgid
		if err := os.Chown(dir, -1, int(*group)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, top)
}

// mountTmpfs mounts memory on the directory unless something is mounted there. Size 0 is half of the node's memory.
func mountTmpfs(dir string, size int64, options string) error {
	if mounted, err := mountinfo.Mounted(dir); err != nil || mounted {
		return err
	}
	data := []string{"noswap"}
	if size > 0 {
		data = append(data, fmt.Sprintf("size=%d", size))
	}
	if options != "" {
		data = append(data, options)
	}
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, strings.Join(data, ","))
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, strings.Join(data[1:], ",")) // before Linux 6.4
	}
	if err != nil {
		return fmt.Errorf("mounting memory on %s: %w", dir, err)
	}
	return nil
}

func mountHugePages(dir, medium string) error {
	if mounted, err := mountinfo.Mounted(dir); err != nil || mounted {
		return err
	}
	options := ""
	if _, size, ok := strings.Cut(medium, "-"); ok {
		options = "pagesize=" + strings.TrimSuffix(size, "i")
	}
	if err := unix.Mount("nodev", dir, "hugetlbfs", 0, options); err != nil {
		return fmt.Errorf("mounting huge pages on %s: %w", dir, err)
	}
	return nil
}

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

// claimed returns where the volume is that a Pod's claim is bound to.
func (v *Volumes) claimed(ctx context.Context, p *podVolumes, name, claim string) (string, error) {
	pod := p.pod
	pvc, err := v.Client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, claim, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading claim %s/%s: %w", pod.Namespace, claim, err)
	}
	if pvc.Status.Phase != corev1.ClaimBound || pvc.Spec.VolumeName == "" {
		return "", fmt.Errorf("claim %s/%s is not bound", pod.Namespace, claim)
	}
	pv, err := v.Client.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading volume %s: %w", pvc.Spec.VolumeName, err)
	}
	if ref := pv.Spec.ClaimRef; ref == nil || ref.UID != pvc.UID {
		return "", fmt.Errorf("volume %s is not bound to claim %s/%s", pv.Name, pod.Namespace, claim)
	}
	switch {
	case pv.Spec.HostPath != nil:
		return pv.Spec.HostPath.Path, checkHostPath(pv.Spec.HostPath)
	case pv.Spec.Local != nil:
		if _, err := os.Stat(pv.Spec.Local.Path); err != nil {
			return "", err
		}
		v.noteLocal(p, name, pv.Spec.Local.Path)
		return pv.Spec.Local.Path, nil
	}
	return "", fmt.Errorf("this node has no plugin for the type of volume %s", pv.Name)
}

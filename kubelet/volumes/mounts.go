package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// subPathsDir holds, within a Pod's directory, the mounts of parts of volumes.
const subPathsDir = "volume-subpaths"

// Mounts returns a container's mounts. subPath resolves what a mount shows of its volume. The Pod must be mounted.
func (v *Volumes) Mounts(ctx context.Context, pod *corev1.Pod, c *corev1.Container, subPath func(*corev1.VolumeMount) (string, error)) ([]*runtimeapi.Mount, error) {
	p := v.entry(pod)
	p.mu.Lock()
	defer p.mu.Unlock()
	mounts := make([]*runtimeapi.Mount, 0, len(c.VolumeMounts))
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		volume := volumeOf(pod, m.Name)
		if volume == nil {
			return nil, fmt.Errorf("volume mount %q refers to no volume", m.Name)
		}
		part, err := subPath(m)
		if err != nil {
			return nil, err
		}
		out, err := v.options(m)
		if err != nil {
			return nil, err
		}
		if volume.Image != nil {
			if out.Image, err = v.Image(ctx, pod, volume.Image); err != nil {
				return nil, err
			}
			out.ImageSubPath, out.Readonly = part, true
			mounts = append(mounts, out)
			continue
		}
		out.Readonly = out.Readonly || rendered(volume)
		if out.HostPath, err = v.source(p, c, m, i, part); err != nil {
			return nil, err
		}
		out.SelinuxRelabel = volume.HostPath == nil && selinuxEnabled()
		mounts = append(mounts, out)
	}
	return mounts, nil
}

func volumeOf(pod *corev1.Pod, name string) *corev1.Volume {
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == name {
			return &pod.Spec.Volumes[i]
		}
	}
	return nil
}

func selinuxEnabled() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

func (v *Volumes) options(m *corev1.VolumeMount) (*runtimeapi.Mount, error) {
	path := m.MountPath
	if !filepath.IsAbs(path) {
		path = "/" + path
	}
	out := &runtimeapi.Mount{ContainerPath: path, Readonly: m.ReadOnly}
	if m.MountPropagation != nil {
		switch *m.MountPropagation {
		case corev1.MountPropagationHostToContainer:
			out.Propagation = runtimeapi.MountPropagation_PROPAGATION_HOST_TO_CONTAINER
		case corev1.MountPropagationBidirectional:
			out.Propagation = runtimeapi.MountPropagation_PROPAGATION_BIDIRECTIONAL
		}
	}
	if r := m.RecursiveReadOnly; r != nil && m.ReadOnly {
		switch *r {
		case corev1.RecursiveReadOnlyEnabled:
			if !v.RecursiveReadOnly {
				return nil, fmt.Errorf("volume %q requested recursive read-only mode, but it is not supported by the runtime", m.Name)
			}
			out.RecursiveReadOnly = true
		case corev1.RecursiveReadOnlyIfPossible:
			out.RecursiveReadOnly = v.RecursiveReadOnly
		}
	}
	return out, nil
}

// source is what of the node is mounted: the volume, or a part of it, which is pinned so that nothing in the volume can
// lead elsewhere.
func (v *Volumes) source(p *podVolumes, c *corev1.Container, m *corev1.VolumeMount, index int, part string) (string, error) {
	root, ok := p.paths[m.Name]
	if !ok {
		return "", fmt.Errorf("volume %q is not mounted", m.Name)
	}
	if part == "" {
		return hostPath(root)
	}
	if filepath.IsAbs(part) {
		return "", fmt.Errorf("error SubPath `%s` must not be an absolute path", part)
	}
	for element := range strings.SplitSeq(part, "/") {
		if element == ".." {
			return "", fmt.Errorf("unable to use SubPath %q: must not contain '..'", part)
		}
	}
	if _, err := hostPath(root); err != nil {
		return "", err
	}
	target := filepath.Join(v.PodsDir, string(p.pod.UID), subPathsDir, m.Name, c.Name, strconv.Itoa(index))
	if err := pin(root, part, target); err != nil {
		return "", fmt.Errorf("preparing subPath %q of volume %q: %w", part, m.Name, err)
	}
	return target, nil
}

// hostPath makes a missing directory of the host, as the runtime would.
func hostPath(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return "", err
		}
	}
	return path, nil
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

// makeBeneath makes a directory as wide open as the volume itself.
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
	return securejoin.MkdirAllHandle(top, part, info.Mode().Perm())
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

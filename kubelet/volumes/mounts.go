package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Mounts returns a container's mounts. subPath resolves what a mount shows of its volume. The Pod must be mounted.
func (v *Volumes) Mounts(ctx context.Context, pod *corev1.Pod, c *corev1.Container, subPath func(*corev1.VolumeMount) (string, error)) ([]*runtimeapi.Mount, error) {
	p := v.lookup(pod.UID)
	if p == nil {
		return nil, errors.New("the pod's volumes are not mounted")
	}
	images, err := v.images(ctx, pod, c) // which takes as long as a registry likes: nothing may wait for that
	if err != nil {
		return nil, err
	}
	end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	mounts := make([]*runtimeapi.Mount, 0, len(c.VolumeMounts))
	for i := range c.VolumeMounts {
		m := &c.VolumeMounts[i]
		part, err := subPath(m)
		if err != nil {
			return nil, err
		}
		out, err := v.options(m)
		if err != nil {
			return nil, err
		}
		volume := volumeOf(pod, m.Name)
		if volume.Image != nil {
			out.Image, out.ImageSubPath, out.Readonly = images[m.Name], part, true
			mounts = append(mounts, out)
			continue
		}
		made, ok := p.state(m.Name)
		if !ok {
			return nil, fmt.Errorf("volume %q is not mounted", m.Name)
		}
		out.Readonly = out.Readonly || made.readOnly || rendered(volume)
		target := filepath.Join(v.PodsDir, string(pod.UID), subPathsDir, m.Name, c.Name, strconv.Itoa(i))
		if out.HostPath, err = source(ctx, made.path, m.Name, part, target); err != nil {
			return nil, err
		}
		out.SelinuxRelabel = volume.HostPath == nil && selinuxEnabled()
		mounts = append(mounts, out)
	}
	return mounts, nil
}

// images brings the images that a container mounts to the node, and checks that each mount has a volume.
func (v *Volumes) images(ctx context.Context, pod *corev1.Pod, c *corev1.Container) (map[string]*runtimeapi.ImageSpec, error) {
	images := map[string]*runtimeapi.ImageSpec{}
	for i := range c.VolumeMounts {
		name := c.VolumeMounts[i].Name
		volume := volumeOf(pod, name)
		if volume == nil {
			return nil, fmt.Errorf("volume mount %q refers to no volume", name)
		}
		if volume.Image == nil || images[name] != nil {
			continue
		}
		image, err := v.Image(ctx, pod, volume.Image)
		if err != nil {
			return nil, err
		}
		images[name] = image
	}
	return images, nil
}

// Devices returns the devices that a container has by its volumes. The Pod must be mounted.
func (v *Volumes) Devices(pod *corev1.Pod, c *corev1.Container) ([]*runtimeapi.Device, error) {
	var devices []*runtimeapi.Device
	for i := range c.VolumeDevices {
		d := &c.VolumeDevices[i]
		var made volumeState
		if p := v.lookup(pod.UID); p != nil {
			made, _ = p.state(d.Name)
		}
		if !made.block {
			return nil, fmt.Errorf("volume device %q is not there", d.Name)
		}
		path, err := filepath.EvalSymlinks(made.path)
		if err != nil {
			return nil, fmt.Errorf("finding volume device %q: %w", d.Name, err)
		}
		permissions := "mrw"
		if made.readOnly {
			permissions = "r"
		}
		devices = append(devices, &runtimeapi.Device{HostPath: path, ContainerPath: d.DevicePath, Permissions: permissions})
	}
	return devices, nil
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

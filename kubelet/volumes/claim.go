package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/storage/ephemeral"
	"k8s.io/component-helpers/storage/volume"

	"github.com/coracle-k8s/coracle/apis/core"
)

// claimed is a claim as a Pod's volume names it.
type claimed struct {
	name string
	// owned is true for a claim that must have been made for the Pod.
	owned    bool
	readOnly bool
}

// groupAnnotation of a PersistentVolume names a group that may use it.
const groupAnnotation = "pv.beta.kubernetes.io/gid"

// claimed finds the PersistentVolume that a Pod's claim is bound to, and makes it the Pod's. What is done once for a Pod is not done
// again after a restart.
func (v *Volumes) claimed(ctx context.Context, pod *corev1.Pod, name string, c claimed) (volumeState, error) {
	pvc, pv, err := v.bound(ctx, pod, c)
	if err != nil {
		return volumeState{}, err
	}
	mark := filepath.Join(v.PodsDir, string(pod.UID), marksDir, "claims", name)
	before := marked(mark)
	if pvc.DeletionTimestamp != nil && !before {
		return volumeState{}, errors.New("PVC is being deleted")
	}
	if err := volume.CheckNodeAffinity(pv, v.NodeLabels()); err != nil {
		return volumeState{}, fmt.Errorf("NodeAffinity check failed for volume %s: %w", pv.Name, err)
	}
	made := volumeState{volume: pv.Name, readOnly: c.readOnly, block: isBlock(pv.Spec.VolumeMode), group: groupOf(pod, pv)}
	if err := usedAs(pod, name, made.block); err != nil {
		return volumeState{}, err
	}
	if slices.Contains(pv.Spec.AccessModes, corev1.ReadWriteOncePod) && v.usedElsewhere(pod, pv.Name) {
		return volumeState{}, errors.New("volume uses the ReadWriteOncePod access mode and is already in use by another pod")
	}
	switch {
	case pv.Spec.HostPath != nil && !made.block:
		made.path = pv.Spec.HostPath.Path
		err = patiently(ctx, func() error { return checkHostPath(pv.Spec.HostPath) })
	case pv.Spec.Local != nil && made.block:
		made.path = pv.Spec.Local.Path
		err = patiently(ctx, func() error { return checkDevice(made.path) })
	case pv.Spec.Local != nil:
		made.path, made.local = pv.Spec.Local.Path, true
		err = v.useLocal(ctx, pod, made, before)
	default:
		err = fmt.Errorf("this node has no plugin for the type of volume %s", pv.Name)
	}
	if err != nil {
		return volumeState{}, err
	}
	return made, setMark(mark)
}

// bound reads a claim and the volume that it is bound to.
func (v *Volumes) bound(ctx context.Context, pod *corev1.Pod, c claimed) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, error) {
	pvc, err := v.Client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, c.name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading claim %s/%s: %w", pod.Namespace, c.name, err)
	}
	if c.owned {
		if err := ephemeral.VolumeIsForPod(pod, pvc); err != nil {
			return nil, nil, err
		}
	}
	if pvc.Status.Phase != corev1.ClaimBound || pvc.Spec.VolumeName == "" {
		return nil, nil, fmt.Errorf("claim %s/%s is not bound", pod.Namespace, c.name)
	}
	pv, err := v.Client.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading volume %s: %w", pvc.Spec.VolumeName, err)
	}
	if ref := pv.Spec.ClaimRef; ref == nil || ref.UID != pvc.UID {
		return nil, nil, fmt.Errorf("volume %s is not bound to claim %s/%s", pv.Name, pod.Namespace, c.name)
	}
	return pvc, pv, nil
}

func isBlock(mode *corev1.PersistentVolumeMode) bool {
	return mode != nil && *mode == corev1.PersistentVolumeBlock
}

// usedAs refuses a device that containers mount, and a file system that they want as a device.
func usedAs(pod *corev1.Pod, name string, block bool) (err error) {
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		for i := range c.VolumeMounts {
			if block && c.VolumeMounts[i].Name == name {
				err = fmt.Errorf("volume %s has volumeMode Block, but is specified in volumeMounts", name)
			}
		}
		for i := range c.VolumeDevices {
			if !block && c.VolumeDevices[i].Name == name {
				err = fmt.Errorf("volume %s has volumeMode Filesystem, but is specified in volumeDevices", name)
			}
		}
		return err == nil
	})
	return err
}

// usedElsewhere tells whether another Pod of this node uses a PersistentVolume.
func (v *Volumes) usedElsewhere(pod *corev1.Pod, volume string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for uid, p := range v.pods {
		if uid == pod.UID {
			continue
		}
		for _, made := range p.states() {
			if made.volume == volume {
				return true
			}
		}
	}
	return false
}

// groupOf is the group that a volume's annotation gives to the Pod's containers, nil for none that they are not members of.
func groupOf(pod *corev1.Pod, pv *corev1.PersistentVolume) *int64 {
	gid, err := strconv.ParseInt(pv.Annotations[groupAnnotation], 10, 64)
	if err != nil {
		return nil
	}
	if sc := pod.Spec.SecurityContext; sc != nil && slices.Contains(sc.SupplementalGroups, gid) {
		return nil
	}
	return &gid
}

// SupplementalGroups are the groups that the Pod's volumes add to its containers.
func (v *Volumes) SupplementalGroups(pod *corev1.Pod) []int64 {
	p := v.lookup(pod.UID)
	if p == nil {
		return nil
	}
	var groups []int64
	for _, made := range p.states() {
		if made.group != nil && !slices.Contains(groups, *made.group) {
			groups = append(groups, *made.group)
		}
	}
	slices.Sort(groups)
	return groups
}

func checkDevice(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 {
		return fmt.Errorf("%s is not a block device, which volumeMode Block demands", path)
	}
	return nil
}

package pods

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/kubelet/logs"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// pruneInstances removes what there is of a container's instances that do not run, but for the newest of them: its log and its end can
// still be asked for. It is done before each start, so that one that never succeeds does not fill the disk either.
func (r *run) pruneInstances(ctx context.Context, name string) {
	kept := 0
	for _, c := range r.observed.Containers {
		if c.Name != name || c.State == runtime.Running || c.State == runtime.Unknown {
			continue
		}
		if kept++; kept == 1 {
			continue
		}
		if err := r.removeContainer(ctx, r.pod, c); err != nil {
			klog.FromContext(ctx).Error(err, "Removing an ended container", "container", name)
			continue
		}
		if c.LogPath != "" {
			_ = logs.Remove(c.LogPath) // a log left behind goes with its Pod
		}
		_ = os.Remove(r.messageFile(r.pod.UID, c.Name, c.RestartCount)) // likewise
	}
}

// removeContainer removes an instance and the link to its log; the log itself stays.
func (m *Manager) removeContainer(ctx context.Context, pod podName, c *runtime.Container) error {
	if err := m.Runtime.RemoveContainer(ctx, c.ID); err != nil && !runtime.IsNotFound(err) {
		return fmt.Errorf("removing container %s: %w", c.Name, err)
	}
	m.Images.Used(c.ImageID)
	link := m.logLink(pod, c.Name, c.ID)
	if target, err := os.Readlink(link); err == nil && c.LogPath != "" && target != c.LogPath {
		return nil // cut short, the link of another instance has the same name
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// podName is what names a Pod.
type podName interface {
	GetNamespace() string
	GetName() string
}

// messageFile is where an instance leaves its last words.
func (m *Manager) messageFile(pod types.UID, container string, restartCount int) string {
	return filepath.Join(m.PodsDir, string(pod), "containers", container, fmt.Sprintf("%08x", uint32(restartCount)))
}

// logLink is where collectors of logs look for a container's log. What is too long for a file's name is cut at its end, as upstream does.
func (m *Manager) logLink(pod podName, container, id string) string {
	const suffix, longest = ".log", 255
	name := fmt.Sprintf("%s_%s_%s-%s", pod.GetName(), pod.GetNamespace(), container, id)
	return filepath.Join(m.ContainerLogsDir, name[:min(len(name), longest-len(suffix))]+suffix)
}

// linkLog makes the link to an instance's log, in place of an older instance's where its name was cut.
func (r *run) linkLog(ctx context.Context, c *corev1.Container, id string, restartCount int) {
	target := filepath.Join(runtime.PodLogDir(r.PodLogsDir, r.pod), runtime.LogFile(c.Name, restartCount))
	link := r.logLink(r.pod, c.Name, id)
	err := os.Symlink(target, link)
	if errors.Is(err, fs.ErrExist) {
		_ = os.Remove(link) // what cannot be removed shows as an error of the next step
		err = os.Symlink(target, link)
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "Linking container log", "container", c.Name)
	}
}

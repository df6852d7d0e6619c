package pods

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// recordFile keeps what the node has granted a Pod, by container. It outlives the process, and goes with the Pod's directory.
func (m *Manager) recordFile(uid types.UID) string {
	return filepath.Join(m.PodsDir, string(uid), "granted.json")
}

// recorded reads what was granted a Pod; known says that it was ever admitted here.
func (m *Manager) recorded(uid types.UID) (granted map[string]corev1.ResourceRequirements, known bool) {
	content, err := os.ReadFile(m.recordFile(uid))
	if err != nil || json.Unmarshal(content, &granted) != nil {
		return nil, false // never admitted, or damaged: the API remembers most
	}
	return granted, true
}

// record writes down what the Pod is granted now. A record that cannot be written is not worth a Pod that does not run.
func (w *worker) record(ctx context.Context) {
	w.mu.Lock()
	granted := w.granted
	if granted == nil {
		granted = resourcesOf(w.pod)
	}
	w.mu.Unlock()
	if err := writeRecord(w.recordFile(w.uid), granted); err != nil {
		klog.FromContext(ctx).Error(err, "Recording what a pod is granted")
	}
}

// writeRecord replaces the file as a whole.
func writeRecord(path string, granted map[string]corev1.ResourceRequirements) error {
	content, err := json.Marshal(granted)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

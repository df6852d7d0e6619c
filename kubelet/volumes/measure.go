package volumes

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// plugin is what the directory is named after that a volume made here is in, "" for other kinds. The names are upstream's, which
// tools know.
func plugin(v *corev1.Volume) string {
	switch {
	case v.EmptyDir != nil:
		return "empty-dir"
	case v.ConfigMap != nil:
		return "configmap"
	case v.Secret != nil:
		return "secret"
	case v.DownwardAPI != nil:
		return "downward-api"
	case v.Projected != nil:
		return "projected"
	}
	return ""
}

// Dir is where a Pod's volume is if it is one that is made here, mounted or not; "" for other kinds.
func (v *Volumes) Dir(pod types.UID, volume *corev1.Volume) string {
	if name := plugin(volume); name != "" {
		return v.dir(pod, name, volume.Name)
	}
	return ""
}

// Local is where a Pod's volume is if it claims a local PersistentVolume with a file system; "" for others, and before it was mounted.
func (v *Volumes) Local(pod types.UID, name string) string {
	if p := v.lookup(pod); p != nil {
		if made, _ := p.state(name); made.local {
			return made.path
		}
	}
	return ""
}

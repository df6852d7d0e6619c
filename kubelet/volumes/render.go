package volumes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/downward"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// rendered tells whether a volume's files come from objects.
func rendered(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.DownwardAPI != nil || v.Projected != nil
}

// contents is what a volume shows.
type contents struct {
	files map[string]file
	// due is when the first of them is to be renewed, zero for never; stale is why one that was due could not be.
	due   time.Time
	stale error
}

// render writes a volume's files.
func (v *Volumes) render(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) (volumeState, error) {
	shown, err := v.contents(ctx, pod, volume)
	if err != nil {
		return volumeState{}, err
	}
	dir, group := v.Dir(pod.UID, volume), fsGroup(pod)
	if err := makeDir(dir, group); err != nil {
		return volumeState{}, err
	}
	if volume.ConfigMap == nil {
		// Secrets never touch the disk.
		if err := mountTmpfs(dir, 0, 0o777, group); err != nil {
			return volumeState{}, err
		}
	}
	if group != nil {
		for path, f := range shown.files {
			f.mode |= 0o440
			shown.files[path] = f
		}
	}
	_, err = writeAtomically(dir, shown.files, group)
	return volumeState{path: dir, due: shown.due, stale: shown.stale}, err
}

// contents collects what a volume shows.
func (v *Volumes) contents(ctx context.Context, pod *corev1.Pod, volume *corev1.Volume) (*contents, error) {
	out := &contents{files: map[string]file{}}
	var err error
	switch {
	case volume.ConfigMap != nil:
		s := volume.ConfigMap
		err = v.addConfigMap(out.files, pod, s.Name, s.Items, s.DefaultMode, s.Optional)
	case volume.Secret != nil:
		s := volume.Secret
		err = v.addSecret(out.files, pod, s.SecretName, s.Items, s.DefaultMode, s.Optional)
	case volume.DownwardAPI != nil:
		err = v.addDownward(out.files, pod, volume.DownwardAPI.Items, volume.DownwardAPI.DefaultMode)
	case volume.Projected != nil:
		err = v.addProjected(ctx, out, pod, volume)
	}
	return out, err
}

func (v *Volumes) addProjected(ctx context.Context, out *contents, pod *corev1.Pod, volume *corev1.Volume) error {
	source := volume.Projected
	for i := range source.Sources {
		var err error
		switch s := &source.Sources[i]; {
		case s.ConfigMap != nil:
			err = v.addConfigMap(out.files, pod, s.ConfigMap.Name, s.ConfigMap.Items, source.DefaultMode, s.ConfigMap.Optional)
		case s.Secret != nil:
			err = v.addSecret(out.files, pod, s.Secret.Name, s.Secret.Items, source.DefaultMode, s.Secret.Optional)
		case s.DownwardAPI != nil:
			err = v.addDownward(out.files, pod, s.DownwardAPI.Items, source.DefaultMode)
		case s.ServiceAccountToken != nil:
			err = v.addToken(ctx, out, pod, s.ServiceAccountToken, source.DefaultMode)
		case s.ClusterTrustBundle != nil:
			err = v.addTrust(ctx, out, pod, s.ClusterTrustBundle, source.DefaultMode)
		case s.PodCertificate != nil:
			err = v.addCertificate(ctx, out, pod, fmt.Sprint(volume.Name, "/", i), s.PodCertificate, source.DefaultMode)
		default:
			err = fmt.Errorf("this node cannot project the source")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *Volumes) addConfigMap(out map[string]file, pod *corev1.Pod, name string, items []corev1.KeyToPath, byDefault *int32, optional *bool) error {
	cm, err := v.Objects.ConfigMap(pod.Namespace, name)
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil
	}
	if err != nil {
		return err
	}
	data := make(map[string][]byte, len(cm.Data)+len(cm.BinaryData))
	for key, value := range cm.Data {
		data[key] = []byte(value)
	}
	for key, value := range cm.BinaryData {
		data[key] = value
	}
	return addItems(out, "configmap", data, items, byDefault, optional)
}

func (v *Volumes) addSecret(out map[string]file, pod *corev1.Pod, name string, items []corev1.KeyToPath, byDefault *int32, optional *bool) error {
	secret, err := v.Objects.Secret(pod.Namespace, name)
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil
	}
	if err != nil {
		return err
	}
	return addItems(out, "secret", secret.Data, items, byDefault, optional)
}

func addItems(out map[string]file, what string, data map[string][]byte, items []corev1.KeyToPath, byDefault *int32, optional *bool) error {
	if items == nil {
		for key, value := range data {
			out[key] = file{data: value, mode: mode(nil, byDefault)}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			if isTrue(optional) {
				continue
			}
			return fmt.Errorf("%s references non-existent %s key: %s", what, map[string]string{"configmap": "config", "secret": "secret"}[what], item.Key)
		}
		out[filepath.Clean(item.Path)] = file{data: value, mode: mode(item.Mode, byDefault)}
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }

func (v *Volumes) addDownward(out map[string]file, pod *corev1.Pod, items []corev1.DownwardAPIVolumeFile, byDefault *int32) error {
	node := v.Node()
	for _, item := range items {
		value, err := downwardValue(pod, node, item)
		if err != nil {
			return err
		}
		out[filepath.Clean(item.Path)] = file{data: []byte(value), mode: mode(item.Mode, byDefault)}
	}
	return nil
}

func downwardValue(pod *corev1.Pod, node downward.Node, item corev1.DownwardAPIVolumeFile) (string, error) {
	switch {
	case item.FieldRef != nil:
		return downward.Field(pod, node, nil, item.FieldRef.FieldPath)
	case item.ResourceFieldRef != nil:
		return downward.Resource(pod, item.ResourceFieldRef.ContainerName, item.ResourceFieldRef, node.Allocatable)
	}
	return "", nil
}

func (v *Volumes) addToken(ctx context.Context, out *contents, pod *corev1.Pod, source *corev1.ServiceAccountTokenProjection, byDefault *int32) error {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
		},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	have, stale, err := v.tokens.get(ctx, pod, request)
	if err != nil {
		return err
	}
	out.files[filepath.Clean(source.Path)] = private(pod, []byte(have.value), byDefault)
	out.renew(have.renewAt, stale)
	return nil
}

// renew notes when something in the volume is due, and why something due could not be renewed.
func (c *contents) renew(at time.Time, stale error) {
	if c.due.IsZero() || at.Before(c.due) {
		c.due = at
	}
	if stale != nil {
		c.stale = stale
	}
}

// private is the Pod's user's alone, where it has one or a group.
func private(pod *corev1.Pod, data []byte, byDefault *int32) file {
	f := file{data: data, mode: mode(nil, byDefault), uid: commonUser(pod)}
	if f.uid != nil || fsGroup(pod) != nil {
		f.mode = 0o600
	}
	return f
}

// commonUser is the user that all containers of a Pod run as, nil where they differ or it is not known.
func commonUser(pod *corev1.Pod) *int64 {
	var user *int64
	same := true
	core.Containers(&pod.Spec, func(c *corev1.Container) bool {
		own := runtime.EffectiveSecurity(pod, c).RunAsUser
		if own == nil || user != nil && *user != *own {
			same = false
			return false
		}
		user = own
		return true
	})
	if !same {
		return nil
	}
	return user
}

func mode(asked, byDefault *int32) os.FileMode {
	switch {
	case asked != nil:
		return os.FileMode(*asked)
	case byDefault != nil:
		return os.FileMode(*byDefault)
	}
	return 0o644
}

package matching

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/storage/volume"

	api "github.com/coracle-k8s/coracle/apis/volume"
)

func TestRoom(t *testing.T) {
	asking := func(uid, size, node string) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}
		c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
		if node != "" {
			c.Annotations = map[string]string{volume.AnnStorageProvisioner: api.LocalProvisioner, volume.AnnSelectedNode: node}
		}
		return c
	}
	made := func(uid, size, node string) *corev1.PersistentVolume {
		v := &corev1.PersistentVolume{}
		v.Annotations = map[string]string{api.LocalNode: node}
		v.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
		v.Spec.ClaimRef = &corev1.ObjectReference{UID: types.UID(uid)}
		return v
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Annotations: map[string]string{api.LocalRoom: "10Gi"}}}
	for name, c := range map[string]struct {
		node    *corev1.Node
		volumes []*corev1.PersistentVolume
		claims  []*corev1.PersistentVolumeClaim
		want    string
	}{
		"an empty node":          {node: node},
		"a node that makes none": {node: &corev1.Node{}, want: "no local storage"},
		"the last of it":         {node: node, volumes: []*corev1.PersistentVolume{made("a", "8Gi", "n")}},
		"full of volumes":        {node: node, volumes: []*corev1.PersistentVolume{made("a", "8Gi", "n"), made("b", "1Gi", "n")}, want: "2Gi is asked for, and of 10Gi for local volumes 9Gi is taken"},
		"another node's":         {node: node, volumes: []*corev1.PersistentVolume{made("a", "9Gi", "m")}},
		"full of promises":       {node: node, claims: []*corev1.PersistentVolumeClaim{asking("a", "9Gi", "n")}, want: "no room"},
		"a promise that is kept": {node: node, volumes: []*corev1.PersistentVolume{made("a", "8Gi", "n")}, claims: []*corev1.PersistentVolumeClaim{asking("a", "8Gi", "n")}},
		"its own":                {node: node, volumes: []*corev1.PersistentVolume{made("c", "10Gi", "n")}},
		"more than there is":     {node: node, volumes: []*corev1.PersistentVolume{made("a", "20Gi", "n")}, want: "no room"},
	} {
		err := Used(c.volumes, c.claims).NoRoom(asking("c", "2Gi", ""), c.node)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

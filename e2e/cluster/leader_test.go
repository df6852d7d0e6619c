package cluster

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
)

func replicaSet(name string, replicas int32) *appsv1.ReplicaSet {
	labels := map[string]string{"app": name}
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.ReplicaSetSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
	}}
}

// makes waits until a ReplicaSet has its Pods, and returns how many were made for it.
func makes(t *testing.T, client kubernetes.Interface, rs *appsv1.ReplicaSet) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	pods, err := client.CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{LabelSelector: "app=" + rs.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer pods.Stop()
	if _, err := client.AppsV1().ReplicaSets("default").Create(ctx, rs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := client.AppsV1().ReplicaSets("default").Get(ctx, rs.Name, metav1.GetOptions{})
		return err == nil && now.Status.Replicas == *rs.Spec.Replicas && now.Status.ObservedGeneration == now.Generation, nil
	})
	if err != nil {
		t.Fatalf("waiting for the Pods of ReplicaSet %s: %v", rs.Name, err)
	}
	marker := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: rs.Name + "-last", Labels: map[string]string{"app": rs.Name}, OwnerReferences: []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "Node", Name: "n", UID: "x", Controller: ptr.To(true), // so that no ReplicaSet adopts it
	}}}, Spec: rs.Spec.Template.Spec}
	if _, err := client.CoreV1().Pods("default").Create(ctx, marker, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	made := 0
	for e := range pods.ResultChan() {
		if e.Object.(*corev1.Pod).Name == marker.Name {
			return made
		}
		if e.Type == watch.Added {
			made++
		}
	}
	t.Fatal("waiting for the Pod that was made last")
	return 0
}

// Of two servers on one etcd one runs controllers and scheduler, and the other goes on when that one stops.
func TestOneOfSeveralServersLeads(t *testing.T) {
	url, ca, cert, key := externalEtcd(t)
	o := cluster.Options{DataDir: t.TempDir(), EtcdServers: []string{url}, EtcdCAFile: ca, EtcdCertFile: cert, EtcdKeyFile: key}
	first, one := start(t, o)
	shared := o
	shared.DataDir = t.TempDir()
	in := func(name string) string { return filepath.Join(o.DataDir, "pki", name) }
	shared.CACertFile, shared.CAKeyFile = in("ca.crt"), in("ca.key")
	shared.FrontProxyCACertFile, shared.FrontProxyCAKeyFile = in("front-proxy-ca.crt"), in("front-proxy-ca.key")
	shared.ServiceAccountKeyFile, shared.EncryptionKeyFile = in("sa.key"), in("encryption.key")
	_, two := start(t, shared)
	if made := makes(t, two, replicaSet("both", 40)); made != 40 {
		t.Errorf("%d Pods were made for 40", made)
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		lease, err := one.CoordinationV1().Leases("kube-system").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil {
			t.Errorf("Lease %s: %v, %v", name, lease, err)
		}
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if made := makes(t, two, replicaSet("other", 10)); made != 10 {
		t.Errorf("%d Pods were made for 10", made)
	}
}

package serviceaccount

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func create(pod *corev1.Pod) admission.Attributes {
	return admission.NewAttributesRecord(pod, nil, corev1.SchemeGroupVersion.WithKind("Pod"), "ns", pod.Name,
		schema.GroupVersionResource{Version: "v1", Resource: "pods"}, "", admission.Create, &metav1.CreateOptions{}, false, nil)
}

func account(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
}

// run creates a Pod in a cluster with these objects.
func run(t *testing.T, pod *corev1.Pod, objects ...runtime.Object) error {
	t.Helper()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	client := fake.NewClientset(objects...)
	s := &serviceAccount{accounts: factory.Core().V1().ServiceAccounts().Lister(), client: client}
	ctx := context.Background()
	if err := s.admit(ctx, create(pod)); err != nil {
		return err
	}
	return s.validate(ctx, create(pod))
}

func pod(containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: corev1.PodSpec{Containers: containers}}
}

func TestPodGetsItsAccount(t *testing.T) {
	a := account("default")
	a.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
	p := pod(corev1.Container{Name: "a"}, corev1.Container{Name: "b", VolumeMounts: []corev1.VolumeMount{{Name: "own", MountPath: tokenPath}}})
	p.Spec.InitContainers = []corev1.Container{{Name: "init"}}
	if err := run(t, p, a); err != nil {
		t.Fatal(err)
	}
	if p.Spec.ServiceAccountName != "default" || len(p.Spec.ImagePullSecrets) != 1 {
		t.Errorf("account %q, pull secrets %v", p.Spec.ServiceAccountName, p.Spec.ImagePullSecrets)
	}
	if len(p.Spec.Volumes) != 1 || !strings.HasPrefix(p.Spec.Volumes[0].Name, "kube-api-access-") {
		t.Fatalf("volumes %v", p.Spec.Volumes)
	}
	sources := p.Spec.Volumes[0].Projected.Sources
	if len(sources) != 3 || *sources[0].ServiceAccountToken.ExpirationSeconds != 3607 || sources[1].ConfigMap.Name != "kube-root-ca.crt" ||
		sources[2].DownwardAPI.Items[0].FieldRef.FieldPath != "metadata.namespace" {
		t.Errorf("sources %v", sources)
	}
	for _, c := range []corev1.Container{p.Spec.InitContainers[0], p.Spec.Containers[0]} {
		if len(c.VolumeMounts) != 1 || c.VolumeMounts[0].Name != p.Spec.Volumes[0].Name || !c.VolumeMounts[0].ReadOnly {
			t.Errorf("%s mounts %v", c.Name, c.VolumeMounts)
		}
	}
	if m := p.Spec.Containers[1].VolumeMounts; len(m) != 1 || m[0].Name != "own" {
		t.Errorf("mounts of a container with its own: %v", m)
	}
}

func TestTokenIsMountedOnlyIfWanted(t *testing.T) {
	no := false
	for name, change := range map[string]func(a *corev1.ServiceAccount, p *corev1.Pod){
		"the account does not": func(a *corev1.ServiceAccount, _ *corev1.Pod) { a.AutomountServiceAccountToken = &no },
		"the pod does not":     func(_ *corev1.ServiceAccount, p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = &no },
		"all have something of their own": func(_ *corev1.ServiceAccount, p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{MountPath: tokenPath}}
		},
	} {
		a, p := account("default"), pod(corev1.Container{Name: "a"})
		change(a, p)
		if err := run(t, p, a); err != nil {
			t.Fatal(err)
		}
		if len(p.Spec.Volumes) != 0 {
			t.Errorf("%s: volumes %v", name, p.Spec.Volumes)
		}
	}
}

func TestRefusals(t *testing.T) {
	enforcing := account("strict")
	enforcing.Annotations = map[string]string{enforceMountable: "true"}
	enforcing.Secrets = []corev1.ObjectReference{{Name: "listed"}}
	secret := func(name string) corev1.Container {
		return corev1.Container{Name: "c", EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}}
	}
	mirror := func(p *corev1.Pod) *corev1.Pod {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		return p
	}
	using := func(p *corev1.Pod, account string) *corev1.Pod {
		p.Spec.ServiceAccountName = account
		return p
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string // none: allowed
	}{
		"a missing account":           {using(pod(), "none"), `error looking up service account ns/none: serviceaccount "none" not found`},
		"a listed secret":             {using(pod(secret("listed")), "strict"), ""},
		"a secret that is not listed": {using(pod(secret("other")), "strict"), "does not reference that secret"},
		"a mirror pod":                {mirror(pod()), ""},
		"a mirror pod's account":      {mirror(using(pod(), "strict")), "a mirror pod may not reference service accounts"},
		"a mirror pod's secret":       {mirror(pod(secret("listed"))), "a mirror pod may not reference secrets"},
	} {
		err := run(t, test.pod, enforcing)
		if test.want == "" && err != nil || test.want != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

func TestDefaultAccountIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
		accounts := factory.Core().V1().ServiceAccounts()
		s := &serviceAccount{accounts: accounts.Lister(), client: fake.NewClientset()}
		indexer := accounts.Informer().GetIndexer()
		done := make(chan error)
		go func() { done <- s.admit(context.Background(), create(pod())) }()
		synctest.Wait()
		if err := indexer.Add(account("default")); err != nil {
			t.Fatal(err)
		}
		s.wait.OnAdd(account("default"), false)
		if err := <-done; err != nil {
			t.Errorf("after it appeared: %v", err)
		}
		start := time.Now()
		err := s.admit(context.Background(), create(using("other-ns-account")))
		if err == nil || time.Since(start) != 0 {
			t.Errorf("another account was waited for: %v after %s", err, time.Since(start))
		}
		if err := indexer.Delete(account("default")); err != nil {
			t.Fatal(err)
		}
		if err := s.admit(context.Background(), create(pod())); err == nil || time.Since(start) != patience {
			t.Errorf("gave up with %v after %s", err, time.Since(start))
		}
	})
}

func using(account string) *corev1.Pod {
	p := pod()
	p.Spec.ServiceAccountName = account
	return p
}

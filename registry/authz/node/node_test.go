package node

import (
	"context"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// Node "one" runs a Pod that refers to something of each kind, and a mirror Pod that refers to a Secret; node "two" none.
func cluster(t *testing.T) *Authorizer {
	t.Helper()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	n, err := New(factory)
	if err != nil {
		t.Fatal(err)
	}
	add := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	pods := factory.Core().V1().Pods().Informer().GetIndexer()
	add(pods.Add(&corev1.Pod{ObjectMeta: named("ns", "pod"), Spec: corev1.PodSpec{
		NodeName: "one", ServiceAccountName: "account", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
		ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: new("gpu")}},
		InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "env"}}}}}},
		Volumes: []corev1.Volume{
			{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}}},
			{Name: "p", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "claim"}}},
			{Name: "e", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
		}}}))
	add(pods.Add(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "mirror", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}},
		Spec:       corev1.PodSpec{NodeName: "one", ImagePullSecrets: []corev1.LocalObjectReference{{Name: "coveted"}}},
	}))
	add(pods.Add(&corev1.Pod{ObjectMeta: named("ns", "pending"), Spec: corev1.PodSpec{ServiceAccountName: "waiting"}}))
	add(factory.Core().V1().PersistentVolumes().Informer().GetIndexer().Add(&corev1.PersistentVolume{ObjectMeta: named("", "volume"), Spec: corev1.PersistentVolumeSpec{
		ClaimRef: &corev1.ObjectReference{Namespace: "ns", Name: "claim"},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
			NodeStageSecretRef: &corev1.SecretReference{Namespace: "storage", Name: "stage"}, ControllerPublishSecretRef: &corev1.SecretReference{Namespace: "storage", Name: "controller"}}},
	}}))
	add(factory.Storage().V1().VolumeAttachments().Informer().GetIndexer().Add(&storagev1.VolumeAttachment{ObjectMeta: named("", "attachment"), Spec: storagev1.VolumeAttachmentSpec{NodeName: "one"}}))
	add(factory.Resource().V1().ResourceSlices().Informer().GetIndexer().Add(&resourcev1.ResourceSlice{ObjectMeta: named("", "slice"), Spec: resourcev1.ResourceSliceSpec{NodeName: new("one")}}))
	add(factory.Certificates().V1().PodCertificateRequests().Informer().GetIndexer().Add(&certificatesv1.PodCertificateRequest{
		ObjectMeta: named("ns", "request"), Spec: certificatesv1.PodCertificateRequestSpec{NodeName: "one"},
	}))
	return n
}

func TestNodesMayWhatTheirPodsNeed(t *testing.T) {
	n := cluster(t)
	for _, test := range []struct {
		verb, group, resource, subresource, namespace, name, selector string
		want                                                          bool
	}{
		{verb: "get", resource: "secrets", namespace: "ns", name: "pull", want: true},
		{verb: "create", group: "certificates.k8s.io", resource: "podcertificaterequests", namespace: "ns", want: true},
		{verb: "get", group: "certificates.k8s.io", resource: "podcertificaterequests", namespace: "ns", name: "request", want: true},
		{verb: "get", group: "certificates.k8s.io", resource: "podcertificaterequests", namespace: "ns", name: "other"},
		{verb: "delete", group: "certificates.k8s.io", resource: "podcertificaterequests", namespace: "ns", name: "request"},
		{verb: "update", group: "certificates.k8s.io", resource: "podcertificaterequests", subresource: "status", namespace: "ns", name: "request"},
		{verb: "watch", group: "certificates.k8s.io", resource: "podcertificaterequests", selector: "spec.nodeName=one", want: true},
		{verb: "list", group: "certificates.k8s.io", resource: "podcertificaterequests", selector: "spec.nodeName=two"},
		{verb: "list", group: "certificates.k8s.io", resource: "clustertrustbundles", want: true},
		{verb: "watch", resource: "secrets", namespace: "ns", name: "env", want: true},
		{verb: "list", resource: "secrets", namespace: "ns"},
		{verb: "update", resource: "secrets", namespace: "ns", name: "pull"},
		{verb: "get", resource: "secrets", namespace: "ns", name: "coveted"},
		{verb: "get", resource: "secrets", namespace: "other", name: "pull"},
		{verb: "get", resource: "secrets", namespace: "storage", name: "stage", want: true},
		{verb: "get", resource: "secrets", namespace: "storage", name: "controller"},
		{verb: "get", resource: "configmaps", namespace: "ns", name: "config", want: true},
		{verb: "get", resource: "configmaps", namespace: "ns", name: "other"},
		{verb: "get", resource: "persistentvolumeclaims", namespace: "ns", name: "claim", want: true},
		{verb: "get", resource: "persistentvolumeclaims", namespace: "ns", name: "pod-e", want: true},
		{verb: "patch", resource: "persistentvolumeclaims", subresource: "status", namespace: "ns", name: "claim", want: true},
		{verb: "patch", resource: "persistentvolumeclaims", namespace: "ns", name: "claim"},
		{verb: "get", resource: "persistentvolumes", name: "volume", want: true},
		{verb: "get", resource: "persistentvolumes", name: "other"},
		{verb: "get", group: "resource.k8s.io", resource: "resourceclaims", namespace: "ns", name: "gpu", want: true},
		{verb: "get", group: "resource.k8s.io", resource: "resourceclaims", name: "gpu"},
		{verb: "get", resource: "persistentvolumeclaims", name: "claim"},
		{verb: "get", group: "storage.k8s.io", resource: "volumeattachments", name: "attachment", want: true},
		{verb: "get", group: "storage.k8s.io", resource: "volumeattachments", namespace: "ns", name: "attachment"},
		{verb: "create", resource: "serviceaccounts", subresource: "token", namespace: "ns", name: "account", want: true},
		{verb: "create", resource: "serviceaccounts", subresource: "token", namespace: "ns", name: "waiting"},
		{verb: "get", resource: "serviceaccounts", namespace: "ns", name: "account", want: true},
		{verb: "delete", resource: "serviceaccounts", namespace: "ns", name: "account"},
		{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", name: "one", want: true},
		{verb: "create", group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", want: true},
		{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", name: "two"},
		{verb: "update", group: "coordination.k8s.io", resource: "leases", namespace: "kube-system", name: "one"},
		{verb: "patch", group: "storage.k8s.io", resource: "csinodes", name: "one", want: true},
		{verb: "patch", group: "storage.k8s.io", resource: "csinodes", name: "two"},
		{verb: "list", group: "resource.k8s.io", resource: "resourceslices", selector: "spec.nodeName=one", want: true},
		{verb: "list", group: "resource.k8s.io", resource: "resourceslices", selector: "spec.nodeName=two"},
		{verb: "delete", group: "resource.k8s.io", resource: "resourceslices", name: "slice", want: true},
		{verb: "get", resource: "nodes", name: "one", want: true},
		{verb: "get", resource: "nodes", name: "two"},
		{verb: "list", resource: "nodes"},
		{verb: "patch", resource: "nodes", subresource: "status", name: "one", want: true},
		{verb: "delete", resource: "nodes", name: "one"},
		{verb: "watch", resource: "pods", selector: "spec.nodeName=one", want: true},
		{verb: "watch", resource: "pods", selector: "spec.nodeName=two"},
		{verb: "watch", resource: "pods", selector: "spec.nodeName!=two"},
		{verb: "list", resource: "pods"},
		{verb: "get", resource: "pods", namespace: "ns", name: "pod", want: true},
		{verb: "get", resource: "pods", namespace: "ns", name: "pending"},
		{verb: "patch", resource: "pods", subresource: "status", namespace: "ns", name: "pod", want: true},
		{verb: "update", resource: "pods", namespace: "ns", name: "pod"},
		{verb: "create", resource: "pods", subresource: "exec", namespace: "ns", name: "pod"},
		{verb: "list", resource: "services", want: true},
		{verb: "create", resource: "services", namespace: "ns"},
		{verb: "watch", group: "node.k8s.io", resource: "runtimeclasses", want: true},
	} {
		selector, err := fields.ParseSelector(test.selector)
		if err != nil {
			t.Fatal(err)
		}
		a := authorizer.AttributesRecord{
			Verb: test.verb, APIGroup: test.group, Resource: test.resource, Subresource: test.subresource, Namespace: test.namespace, Name: test.name,
			ResourceRequest: true, FieldSelectorRequirements: selector.Requirements(),
			User: &user.DefaultInfo{Name: "system:node:one", Groups: []string{"system:nodes"}},
		}
		decision, reason, err := n.Authorize(context.Background(), a)
		if (decision == authorizer.DecisionAllow) != test.want || err != nil {
			t.Errorf("%s %s %s/%s %s: %v (%s), error %v", test.verb, test.resource, test.namespace, test.name, test.selector, decision, reason, err)
		}
	}
}

func TestOthersAreNoNodes(t *testing.T) {
	n := cluster(t)
	for who, groups := range map[string][]string{"system:node:one": nil, "one": {"system:nodes"}, "system:node:": {"system:nodes"}, "system:node:two": {"system:nodes"}} {
		decision, _, _ := n.Authorize(context.Background(), authorizer.AttributesRecord{
			Verb: "get", Resource: "secrets", Namespace: "ns", Name: "pull", ResourceRequest: true, User: &user.DefaultInfo{Name: who, Groups: groups},
		})
		if decision != authorizer.DecisionNoOpinion {
			t.Errorf("%s of %v: %v", who, groups, decision)
		}
	}
}

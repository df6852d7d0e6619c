package noderestriction

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name + "-uid")}
}

func podOn(node string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: named("ns", "on-"+node), Spec: corev1.PodSpec{NodeName: node}}
	if change != nil {
		change(p)
	}
	return p
}

func mirror(change func(*corev1.Pod)) *corev1.Pod {
	return podOn("one", func(p *corev1.Pod) {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "one", UID: "one-uid", Controller: new(true)}}
		if change != nil {
			change(p)
		}
	})
}

func aNode(name string, labels map[string]string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: named("", name)}
	n.Labels = labels
	return n
}

// restrictions knows nodes one and two, a Pod on each, and lets one ask for tokens for the audience "allowed".
func restrictions(t *testing.T) restriction {
	t.Helper()
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	core := factory.Core().V1()
	token := func(p *corev1.Pod) {
		p.Spec.ServiceAccountName = "builder"
		p.Spec.Volumes = []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault"}}}}}},
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/mounted"}}}}}},
			{VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "driver"}}},
		}
	}
	for _, err := range []error{
		core.Nodes().Informer().GetIndexer().Add(aNode("one", nil)), core.Nodes().Informer().GetIndexer().Add(aNode("two", nil)),
		core.Pods().Informer().GetIndexer().Add(podOn("one", token)), core.Pods().Informer().GetIndexer().Add(podOn("two", nil)),
		core.ServiceAccounts().Informer().GetIndexer().Add(&corev1.ServiceAccount{ObjectMeta: named("ns", "builder")}),
		factory.Storage().V1().CSIDrivers().Informer().GetIndexer().Add(&storagev1.CSIDriver{ObjectMeta: named("", "driver"), Spec: storagev1.CSIDriverSpec{TokenRequests: []storagev1.TokenRequest{{Audience: "csi"}}}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return restriction{
		pods: core.Pods().Lister(), nodes: core.Nodes().Lister(), claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister(),
		drivers: factory.Storage().V1().CSIDrivers().Lister(), accounts: core.ServiceAccounts().Lister(),
		authz: authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
			switch a.GetVerb() + " " + a.GetResource() {
			case "request-serviceaccounts-token-audience allowed", "request-serviceaccounts-podcertificate-signer example.com:allowed":
				return authorizer.DecisionAllow, "", nil
			}
			return authorizer.DecisionNoOpinion, "", nil
		}),
	}
}

type write struct {
	resource  schema.GroupResource
	sub, name string
	operation admission.Operation
	obj, old  runtime.Object
	namespace string
	allowed   bool
}

func check(t *testing.T, writes map[string]write) {
	t.Helper()
	r := restrictions(t)
	for what, w := range writes {
		a := admission.NewAttributesRecord(w.obj, w.old, schema.GroupVersionKind{}, w.namespace, w.name, w.resource.WithVersion("v1"), w.sub, w.operation, nil, false,
			&user.DefaultInfo{Name: "system:node:one", Groups: []string{"system:nodes"}})
		if err := r.admit(context.Background(), a); (err == nil) != w.allowed {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPods(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	creation := func(p *corev1.Pod, allowed bool) write {
		return write{resource: pods, operation: admission.Create, namespace: "ns", obj: p, allowed: allowed}
	}
	status := func(change func(*corev1.Pod), node string, allowed bool) write {
		return write{resource: pods, sub: "status", operation: admission.Update, namespace: "ns", obj: podOn(node, change), old: podOn(node, nil), allowed: allowed}
	}
	check(t, map[string]write{
		"a mirror pod":               creation(mirror(nil), true),
		"a pod":                      creation(podOn("one", nil), false),
		"another node's mirror pod":  creation(mirror(func(p *corev1.Pod) { p.Spec.NodeName = "two" }), false),
		"a mirror pod of nobody":     creation(mirror(func(p *corev1.Pod) { p.OwnerReferences = nil }), false),
		"one of an earlier node":     creation(mirror(func(p *corev1.Pod) { p.OwnerReferences[0].UID = "old" }), false),
		"one that blocks deletion":   creation(mirror(func(p *corev1.Pod) { p.OwnerReferences[0].BlockOwnerDeletion = new(true) }), false),
		"one with a service account": creation(mirror(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "admin" }), false),
		"one with a claim": creation(mirror(func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}}
		}), false),
		"one with a path of its host": creation(mirror(func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}}}
		}), true),
		"one with an unknown volume": creation(mirror(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{}} }), false),
		"deletion of its pod":        {resource: pods, operation: admission.Delete, namespace: "ns", name: "on-one", allowed: true},
		"deletion of another's":      {resource: pods, operation: admission.Delete, namespace: "ns", name: "on-two"},
		"deletion of a missing pod":  {resource: pods, operation: admission.Delete, namespace: "ns", name: "none"},
		"an update":                  {resource: pods, operation: admission.Update, namespace: "ns", name: "on-one", obj: podOn("one", nil), old: podOn("one", nil)},
		"a status":                   status(nil, "one", true),
		"another's status":           status(nil, "two", false),
		"a status with labels":       status(func(p *corev1.Pod) { p.Labels = map[string]string{"a": "b"} }, "one", false),
		"a status with claims":       status(func(p *corev1.Pod) { p.Status.ResourceClaimStatuses = []corev1.PodResourceClaimStatus{{Name: "x"}} }, "one", false),
		"a status with capacity of claims": status(func(p *corev1.Pod) {
			p.Status.NodeAllocatableResourceClaimStatuses = []corev1.NodeAllocatableResourceClaimStatus{{ResourceClaimName: "x"}}
		}, "one", false),
		"an eviction":        {resource: pods, sub: "eviction", operation: admission.Create, namespace: "ns", obj: &policyv1.Eviction{ObjectMeta: named("ns", "on-one")}, allowed: true},
		"another's eviction": {resource: pods, sub: "eviction", operation: admission.Create, namespace: "ns", name: "on-two", obj: &policyv1.Eviction{ObjectMeta: named("ns", "on-one")}},
		"a binding":          {resource: pods, sub: "binding", operation: admission.Create, namespace: "ns", name: "on-one", obj: &corev1.Binding{}},
	})
}

func TestCertificatesOfPods(t *testing.T) {
	request := func(allowed bool, change func(*certificatesv1.PodCertificateRequestSpec)) write {
		r := &certificatesv1.PodCertificateRequest{ObjectMeta: named("ns", "r"), Spec: certificatesv1.PodCertificateRequestSpec{
			SignerName: "example.com/mounted", PodName: "on-one", PodUID: "on-one-uid", ServiceAccountName: "builder", ServiceAccountUID: "builder-uid",
			NodeName: "one", NodeUID: "one-uid",
		}}
		change(&r.Spec)
		return write{resource: schema.GroupResource{Group: "certificates.k8s.io", Resource: "podcertificaterequests"}, operation: admission.Create,
			namespace: "ns", name: "r", obj: r, allowed: allowed}
	}
	update := request(false, func(*certificatesv1.PodCertificateRequestSpec) {})
	update.operation, update.old = admission.Update, update.obj
	check(t, map[string]write{
		"for its pod":            request(true, func(*certificatesv1.PodCertificateRequestSpec) {}),
		"of an allowed signer":   request(true, func(s *certificatesv1.PodCertificateRequestSpec) { s.SignerName = "example.com/allowed" }),
		"of another signer":      request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.SignerName = "example.com/other" }),
		"in another node's name": request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.NodeName, s.NodeUID = "two", "two-uid" }),
		"for another's pod":      request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.PodName, s.PodUID = "on-two", "on-two-uid" }),
		"for a missing pod":      request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.PodName = "none" }),
		"for an earlier pod":     request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.PodUID = "old" }),
		"of an earlier node":     request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.NodeUID = "old" }),
		"as another account":     request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountName = "admin" }),
		"as an earlier account":  request(false, func(s *certificatesv1.PodCertificateRequestSpec) { s.ServiceAccountUID = "old" }),
		"an update":              update,
	})
}

func TestNodes(t *testing.T) {
	nodes := schema.GroupResource{Resource: "nodes"}
	update := func(labels map[string]string, change func(*corev1.Node), allowed bool) write {
		n := aNode("one", labels)
		if change != nil {
			change(n)
		}
		return write{resource: nodes, operation: admission.Update, name: "one", obj: n, old: aNode("one", map[string]string{"kubernetes.io/hostname": "h", "team": "x"}), allowed: allowed}
	}
	same := map[string]string{"kubernetes.io/hostname": "h", "team": "x"}
	check(t, map[string]write{
		"itself":                    {resource: nodes, operation: admission.Create, name: "one", obj: aNode("one", same), allowed: true},
		"another":                   {resource: nodes, operation: admission.Create, name: "two", obj: aNode("two", same)},
		"with a reserved label":     {resource: nodes, operation: admission.Create, name: "one", obj: aNode("one", map[string]string{"x.node-restriction.kubernetes.io/y": "z"})},
		"with an unknown label":     {resource: nodes, operation: admission.Create, name: "one", obj: aNode("one", map[string]string{"node-role.kubernetes.io/control-plane": ""})},
		"with a zone":               {resource: nodes, operation: admission.Create, name: "one", obj: aNode("one", map[string]string{"topology.kubernetes.io/zone": "z"}), allowed: true},
		"an equal update":           update(same, nil, true),
		"a hostname":                update(map[string]string{"kubernetes.io/hostname": "i", "team": "x"}, nil, true),
		"a label of its own":        update(map[string]string{"kubernetes.io/hostname": "h", "team": "y"}, nil, true),
		"a new reserved label":      update(map[string]string{"kubernetes.io/hostname": "h", "team": "x", "node-restriction.kubernetes.io/a": "b"}, nil, false),
		"taints":                    update(same, func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "k"}} }, false),
		"owners":                    update(same, func(n *corev1.Node) { n.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} }, false),
		"deletion":                  {resource: nodes, operation: admission.Delete, name: "one", allowed: true},
		"deletion of another":       {resource: nodes, operation: admission.Delete, name: "two"},
		"deletion of a named lease": {resource: schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, operation: admission.Delete, namespace: leases, name: "two"},
	})
}

func TestTokens(t *testing.T) {
	request := func(bound *authenticationv1.BoundObjectReference, allowed bool, audiences ...string) write {
		return write{resource: schema.GroupResource{Resource: "serviceaccounts"}, sub: "token", operation: admission.Create, namespace: "ns", name: "default", allowed: allowed,
			obj: &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound, Audiences: audiences}}}
	}
	ref := func(pod, uid string) *authenticationv1.BoundObjectReference {
		return &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod, UID: types.UID(uid)}
	}
	check(t, map[string]write{
		"for its pod, an audience of a volume": request(ref("on-one", "on-one-uid"), true, "vault"),
		"an audience of a driver":              request(ref("on-one", "on-one-uid"), true, "csi"),
		"an audience that it is allowed":       request(ref("on-one", "on-one-uid"), true, "allowed"),
		"another audience":                     request(ref("on-one", "on-one-uid"), false, "other"),
		"two audiences":                        request(ref("on-one", "on-one-uid"), false, "vault", "csi"),
		"unbound":                              request(nil, false, "vault"),
		"without a uid":                        request(ref("on-one", ""), false, "vault"),
		"for an earlier pod":                   request(ref("on-one", "old"), false, "vault"),
		"for another node's pod":               request(ref("on-two", "on-two-uid"), false, "vault"),
		"for a missing pod":                    request(ref("none", "x"), false, "vault"),
	})
}

func TestOthers(t *testing.T) {
	lease, csiNode := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, schema.GroupResource{Group: "storage.k8s.io", Resource: "csinodes"}
	slices, claims := schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceslices"}, schema.GroupResource{Resource: "persistentvolumeclaims"}
	claim := func(change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: named("ns", "c")}
		if change != nil {
			change(c)
		}
		return c
	}
	csr := func(user string) *certificatesv1.CertificateSigningRequest {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}, key)
		if err != nil {
			t.Fatal(err)
		}
		return &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeletServingSignerName, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})}}
	}
	csrs := schema.GroupResource{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}
	check(t, map[string]write{
		"its lease":         {resource: lease, operation: admission.Create, namespace: leases, obj: &coordinationv1.Lease{ObjectMeta: named(leases, "one")}, allowed: true},
		"another's lease":   {resource: lease, operation: admission.Create, namespace: leases, obj: &coordinationv1.Lease{ObjectMeta: named(leases, "two")}},
		"a lease elsewhere": {resource: lease, operation: admission.Create, namespace: "ns", obj: &coordinationv1.Lease{ObjectMeta: named("ns", "one")}},
		"its CSINode":       {resource: csiNode, operation: admission.Update, name: "one", allowed: true},
		"another's CSINode": {resource: csiNode, operation: admission.Update, name: "two"},
		"its slice":         {resource: slices, operation: admission.Create, obj: &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{NodeName: new("one")}}, allowed: true},
		"another's slice":   {resource: slices, operation: admission.Delete, old: &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{NodeName: new("two")}}},
		"a claim's capacity": {resource: claims, sub: "status", operation: admission.Update, obj: claim(func(c *corev1.PersistentVolumeClaim) {
			c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{{Type: "x"}}
		}), old: claim(nil), allowed: true},
		"a claim's labels":          {resource: claims, sub: "status", operation: admission.Update, obj: claim(func(c *corev1.PersistentVolumeClaim) { c.Labels = map[string]string{"a": "b"} }), old: claim(nil)},
		"a claim":                   {resource: claims, operation: admission.Update, obj: claim(nil), old: claim(nil)},
		"a certificate for itself":  {resource: csrs, operation: admission.Create, obj: csr("system:node:one"), allowed: true},
		"a certificate for another": {resource: csrs, operation: admission.Create, obj: csr("system:node:two")},
		"something else":            {resource: schema.GroupResource{Resource: "events"}, operation: admission.Create, obj: &corev1.Event{}, allowed: true},
	})
}

func TestANodeThatIsNotThereIsToldSoFirst(t *testing.T) {
	r := restrictions(t)
	pod := mirror(func(p *corev1.Pod) {
		p.Spec.NodeName, p.OwnerReferences[0].Name = "gone", "gone"
		p.Spec.ServiceAccountName = "admin"
	})
	a := admission.NewAttributesRecord(pod, nil, schema.GroupVersionKind{}, "ns", "", corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create, nil, false,
		&user.DefaultInfo{Name: "system:node:gone", Groups: []string{"system:nodes"}})
	if err := r.admit(t.Context(), a); !apierrors.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

// What a client sent says its kind; what is stored does not.
func TestClaimsStatusIsReportedWhateverTheFormOfTheRequest(t *testing.T) {
	r := restrictions(t)
	old := &corev1.PersistentVolumeClaim{}
	old.Namespace, old.Name = "ns", "c"
	claim := old.DeepCopy()
	claim.APIVersion, claim.Kind = "v1", "PersistentVolumeClaim"
	claim.Status.Capacity = corev1.ResourceList{"storage": resource.MustParse("1Gi")}
	update := func() error {
		return r.admit(t.Context(), admission.NewAttributesRecord(claim, old, schema.GroupVersionKind{}, "ns", "c", corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims"), "status",
			admission.Update, nil, false, &user.DefaultInfo{Name: "system:node:n", Groups: []string{"system:nodes"}}))
	}
	if err := update(); err != nil {
		t.Error(err)
	}
	claim.Status.Phase = corev1.ClaimBound
	if err := update(); err == nil || !strings.Contains(err.Error(), `+  "Phase": "Bound"`) || strings.Contains(err.Error(), "TypeMeta") {
		t.Errorf("got %v", err)
	}
}

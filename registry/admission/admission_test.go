package admission

import (
	"context"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/discovery"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

func config() Config {
	client := fake.NewClientset()
	return Config{
		Client: described{client}, Dynamic: dynamicfake.NewSimpleDynamicClient(scheme.Scheme), Loopback: &rest.Config{},
		Informers: informers.NewSharedInformerFactory(client, 0), Authorizer: authorizerfactory.NewAlwaysAllowAuthorizer(),
		Services: webhook.NewDefaultServiceResolver(), Features: utilfeature.DefaultFeatureGate,
		Version: compatibility.DefaultBuildEffectiveVersion(), Drained: make(chan struct{}),
	}
}

// described has a server that serves nothing describe it: the fake has none.
type described struct{ *fake.Clientset }

func (d described) Discovery() discovery.DiscoveryInterfaces {
	return discovery.NewDiscoveryClientForConfigOrDie(&rest.Config{Host: "http://127.0.0.1:0"})
}

// Upstream's recommended order is that of v1.37.2; on are those of its plugins that are on by default and that do something
// with its default feature gates, and NodeRestriction.
func TestOrderIsUpstreams(t *testing.T) {
	upstream := []string{
		"NamespaceLifecycle", "LimitRanger", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "PodSecurity", "Priority",
		"DefaultTolerationSeconds", "DefaultStorageClass", "StorageObjectInUseProtection", "PersistentVolumeClaimResize", "RuntimeClass",
		"CertificateApproval", "CertificateSigning", "ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass", "PodTopologyLabels",
		"NodeDeclaredFeatureValidator", "PodResizeValidator",
		"MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook", "ResourceQuota",
	}
	var names []string
	for _, e := range order(config()) {
		names = append(names, e.name)
	}
	if !slices.Equal(names, upstream) {
		t.Errorf("order %v, want %v", names, upstream)
	}
}

func TestChainAdmitsWhatNoPluginIsAbout(t *testing.T) {
	c := config()
	chain, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	defer c.Informers.Shutdown()
	defer close(stop)
	c.Informers.Start(stop)
	c.Informers.WaitForCacheSync(stop)
	role := &rbacv1.ClusterRole{}
	a := admission.NewAttributesRecord(role, nil, rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), "", "r",
		rbacv1.SchemeGroupVersion.WithResource("clusterroles"), "", admission.Delete, nil, false, &user.DefaultInfo{Name: "u"})
	if err := chain.(admission.MutationInterface).Admit(context.Background(), a, nil); err != nil {
		t.Error(err)
	}
}

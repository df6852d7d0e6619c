package admission

import (
	"io"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	mutatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	validatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/validating"

	"github.com/coracle-k8s/coracle/registry/admission/certificates"
	"github.com/coracle-k8s/coracle/registry/admission/claimresize"
	"github.com/coracle-k8s/coracle/registry/admission/defaultingressclass"
	"github.com/coracle-k8s/coracle/registry/admission/defaultstorageclass"
	"github.com/coracle-k8s/coracle/registry/admission/defaulttolerationseconds"
	"github.com/coracle-k8s/coracle/registry/admission/limitranger"
	"github.com/coracle-k8s/coracle/registry/admission/nodedeclaredfeatures"
	"github.com/coracle-k8s/coracle/registry/admission/noderestriction"
	"github.com/coracle-k8s/coracle/registry/admission/nodetaint"
	"github.com/coracle-k8s/coracle/registry/admission/podresize"
	"github.com/coracle-k8s/coracle/registry/admission/podsecurity"
	"github.com/coracle-k8s/coracle/registry/admission/podtopology"
	"github.com/coracle-k8s/coracle/registry/admission/priority"
	"github.com/coracle-k8s/coracle/registry/admission/runtimeclass"
	"github.com/coracle-k8s/coracle/registry/admission/serviceaccount"
	"github.com/coracle-k8s/coracle/registry/admission/storageprotection"
)

// entry is a plugin of ours (new), which is told its part of the configuration or nil, or of the library (register).
type entry struct {
	name     string
	new      func(told io.Reader) (admission.Interface, error)
	register func(*admission.Plugins)
}

// order is the one list of plugins: those that upstream has on by default, in its order. Mutating ones all run before
// validating ones; policies, webhooks and quota come last of theirs.
func order(c Config) []entry {
	ok := func(p admission.Interface) func(io.Reader) (admission.Interface, error) {
		return func(io.Reader) (admission.Interface, error) { return p, nil }
	}
	return []entry{
		{name: lifecycle.PluginName, register: lifecycle.Register},
		{name: "LimitRanger", new: ok(limitranger.New(c.Informers))},
		{name: "ServiceAccount", new: func(io.Reader) (admission.Interface, error) { return serviceaccount.New(c.Informers, c.Client) }},
		{name: "NodeRestriction", new: ok(noderestriction.New(c.Informers, c.Authorizer))},
		{name: "TaintNodesByCondition", new: ok(nodetaint.New())},
		{name: "PodSecurity", new: func(told io.Reader) (admission.Interface, error) {
			return podsecurity.New(c.Informers, c.Client, told)
		}},
		{name: "Priority", new: ok(priority.New(c.Informers))},
		{name: "DefaultTolerationSeconds", new: ok(defaulttolerationseconds.New())},
		{name: "DefaultStorageClass", new: ok(defaultstorageclass.New(c.Informers))},
		{name: "StorageObjectInUseProtection", new: ok(storageprotection.New())},
		{name: "PersistentVolumeClaimResize", new: ok(claimresize.New(c.Informers))},
		{name: "RuntimeClass", new: ok(runtimeclass.New(c.Informers, c.Client))},
		{name: "CertificateApproval", new: ok(certificates.Approval(c.Authorizer))},
		{name: "CertificateSigning", new: ok(certificates.Signing(c.Authorizer))},
		{name: "ClusterTrustBundleAttest", new: ok(certificates.Attest(c.Authorizer))},
		{name: "CertificateSubjectRestriction", new: ok(certificates.SubjectRestriction())},
		{name: "DefaultIngressClass", new: ok(defaultingressclass.New(c.Informers))},
		{name: "PodTopologyLabels", new: ok(podtopology.New(c.Informers))},
		{name: "NodeDeclaredFeatureValidator", new: ok(nodedeclaredfeatures.New(c.Informers, c.Version.EmulationVersion()))},
		{name: "PodResizeValidator", new: ok(podresize.New(c.Informers))},
		{name: mutatingpolicy.PluginName, register: mutatingpolicy.Register},
		{name: mutatingwebhook.PluginName, register: mutatingwebhook.Register},
		{name: validatingpolicy.PluginName, register: validatingpolicy.Register},
		{name: validatingwebhook.PluginName, register: validatingwebhook.Register},
		{name: resourcequota.PluginName, register: resourcequota.Register},
	}
}

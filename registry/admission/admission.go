// Package admission decides on objects that are about to be written: plugins change them, then check them.
//
// Each plugin is a folder; order.go is the list.
package admission

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/metrics"
	webhookinit "k8s.io/apiserver/pkg/admission/plugin/webhook/initializer"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
	"github.com/coracle-k8s/coracle/registry/admission/resourcequota"
)

// Config is what plugins work with.
type Config struct {
	// Client and Dynamic act as the server itself; Loopback is how they reach it.
	Client   kubernetes.Interface
	Dynamic  dynamic.Interface
	Loopback *rest.Config
	// Exempt are users about whose writes no webhook, no policy and no quota is asked: the server itself, by identity and not by
	// name. What it writes (the objects that every cluster has, the record of Services' addresses, the status of what it serves) is
	// what it needs to work, and webhooks run in Pods that need it to work: one that fails closed on everything would keep it from
	// ever being ready again after a restart. Upstream asks webhooks about these writes too. Nil: nobody.
	Exempt func(user.Info) bool
	// Informers must not have been started: plugins ask for theirs.
	Informers  informers.SharedInformerFactory
	Authorizer authorizer.Authorizer
	// Mapper knows what is served; unless set, it is asked for when a policy names kinds.
	Mapper meta.RESTMapper
	// Services finds webhooks that are Services.
	Services webhook.ServiceResolver
	// ConfigFile is an AdmissionConfiguration (apiserver.config.k8s.io/v1): what plugins are told, each in its own kind. Unless it is set
	// each has its defaults. Manifests read the files of directories that it names.
	ConfigFile string
	Manifests  *initializer.ManifestLoaders

	Features featuregate.FeatureGate
	Version  compatibility.EffectiveVersion
	// ServerID names this server in metrics. Drained is closed when no more requests are admitted.
	ServerID string
	Drained  <-chan struct{}
}

// New builds the plugins and returns the chain of them.
func New(c Config) (admission.Interface, error) {
	if c.Mapper == nil {
		c.Mapper = Discovered(c.Client.Discovery())
	}
	initializers := admission.PluginInitializers{
		initializer.NewAPIServerIDInitializer(c.ServerID),
		initializer.New(c.Client, c.Dynamic, c.Informers, c.Authorizer, c.Features, c.Version, c.Drained, c.Mapper),
		webhookinit.NewPluginInitializer(webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, c.Loopback, nil), c.Services),
		give(func(p initializer.WantsQuotaConfiguration) {
			p.SetQuotaConfiguration(resourcequota.Configuration(time.Now))
		}),
		give(func(p initializer.WantsExcludedAdmissionResources) {
			p.SetExcludedAdmissionResources(admissionregistration.Reviews())
		}),
		give(func(p initializer.WantsManifestLoaders) { p.SetManifestLoaders(c.Manifests) }),
	}
	plugins := admission.NewPlugins()
	var names []string
	for _, e := range order(c) {
		if e.register != nil {
			e.register(plugins)
		} else {
			plugins.Register(e.name, e.new)
		}
		names = append(names, e.name)
	}
	told, err := readConfiguration(c.ConfigFile, names)
	if err != nil {
		return nil, err
	}
	chain, err := plugins.NewFromPlugins(names, told, initializers, admission.DecoratorFunc(func(p admission.Interface, name string) admission.Interface {
		return metrics.WithControllerMetrics(c.sparing(p, name), name)
	}))
	if err != nil {
		return nil, fmt.Errorf("building admission plugins: %w", err)
	}
	return metrics.WithStepMetrics(chain), nil
}

// give gives plugins that are a W what the library's own initializers do not have.
func give[W any](f func(plugin W)) admission.PluginInitializer { return initialize[W](f) }

type initialize[W any] func(plugin W)

// Initialize implements admission.PluginInitializer.
func (f initialize[W]) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(W); ok {
		f(wants)
	}
}

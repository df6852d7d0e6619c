package server

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	apiregistrationclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset/typed/apiregistration/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/guard"
)

// aggregation makes the server that requests reach first. It sends them to where their group version's APIService says: to
// the resources' server, behind it that of custom resources, or to a Service in the cluster.
func (s *Server) aggregation(main *genericapiserver.GenericAPIServer, extensions *apiserver.CustomResourceDefinitions) (*aggregator.APIAggregator, error) {
	config := *s.generic
	config.PostStartHooks = map[string]genericapiserver.PostStartHookConfigEntry{}
	config.SkipOpenAPIInstallation = true
	config.OpenAPIConfig = nil
	config.OpenAPIV3Config = extensionsOpenAPI()
	config.RESTOptionsGetter = s.stores.Getter(func(schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error) {
		gv := apiregistrationv1.SchemeGroupVersion
		return aggregatorscheme.Codecs.LegacyCodec(gv), gv, nil
	})
	c := aggregator.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: config, SharedInformerFactory: s.informers},
		ExtraConfig: aggregator.ExtraConfig{
			ProxyClientCertFile: s.config.FrontProxy.CertFile,
			ProxyClientKeyFile:  s.config.FrontProxy.KeyFile,
			ServiceResolver:     s.resolver(),
			ProxyTransport:      &http.Transport{DialContext: (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext},
		},
	}
	top, err := c.Complete().NewWithDelegate(undescribed{s.metrics.target(main), &c.GenericConfig.Config})
	if err != nil {
		return nil, err
	}
	return top, s.registerGroups(top, extensions)
}

// undescribed takes the configuration of OpenAPI away when the generic server has it, which cannot do without, and before
// the aggregator takes it: that would build documents at start and collect those of others every minute. Ours are put
// together when somebody asks.
type undescribed struct {
	genericapiserver.DelegationTarget
	config *genericapiserver.Config
}

func (u undescribed) MuxAndDiscoveryCompleteSignals() map[string]<-chan struct{} {
	u.config.OpenAPIV3Config = nil
	return u.DelegationTarget.MuxAndDiscoveryCompleteSignals()
}

// registerGroups keeps an APIService for each group version that is served here: built in, or by a CustomResourceDefinition.
func (s *Server) registerGroups(top *aggregator.APIAggregator, extensions *apiserver.CustomResourceDefinitions) error {
	client, err := apiregistrationclient.NewForConfig(s.generic.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("making a client for API services: %w", err)
	}
	services := top.APIRegistrationInformers.Apiregistration().V1().APIServices()
	r := &registration{
		services: services, client: client, definitions: extensions.Informers.Apiextensions().V1().CustomResourceDefinitions(),
		begun: make(chan struct{}),
	}
	r.definitions.Informer() // so that the factory starts it
	var names []string
	s.metrics.services, s.metrics.client = services, client
	for gv, at := range priorities() {
		service := apiService(gv, at)
		if gv.Group == s.metrics.group {
			if s.metricsServed() {
				s.metrics.wanted = append(s.metrics.wanted, service)
			}
			continue
		}
		r.builtIn = append(r.builtIn, service)
		names = append(names, service.Name)
		s.generic.AggregatedDiscoveryGroupManager.SetGroupVersionPriority(metav1.GroupVersion(gv), int(at.group), int(at.version))
	}
	if err := top.GenericAPIServer.AddBootSequenceHealthChecks(registered(names, services.Lister(), s.metrics.pending)); err != nil {
		return fmt.Errorf("adding health checks: %w", err)
	}
	return top.GenericAPIServer.AddPostStartHook("kube-apiserver-autoregistration", func(hook genericapiserver.PostStartHookContext) error {
		guard.GoKeep(hook, "registration of API services", r.run)
		select {
		case <-r.begun:
			return nil
		case <-hook.Done():
			return hook.Err()
		}
	})
}

func apiService(gv schema.GroupVersion, at priority) *apiregistrationv1.APIService {
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: gv.Version + "." + gv.Group},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: gv.Group, Version: gv.Version, GroupPriorityMinimum: at.group, VersionPriority: at.version,
		},
	}
}

// priority orders groups and versions in discovery: higher ones first.
type priority struct{ group, version int32 }

// metricsPriority is that of both metrics.k8s.io and its versions, as metrics-server's manifest has it.
const metricsPriority = 100

// priorities are those of the built-in groups, as upstream has them.
func priorities() map[schema.GroupVersion]priority {
	groups := map[string]int32{
		"": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600,
		"autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
		"rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
		"admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500, "node.k8s.io": 16300,
		"discovery.k8s.io": 16200, "resource.k8s.io": 16200, "flowcontrol.apiserver.k8s.io": 16100,
		"storagemigration.k8s.io": 15800, metricsv1.GroupName: metricsPriority,
	}
	versions := map[schema.GroupVersion]int32{
		{Version: "v1"}: 1, {Group: "autoscaling", Version: "v2"}: 30,
		{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"}: 21, {Group: "resource.k8s.io", Version: "v1"}: 21,
		metricsv1.SchemeGroupVersion: metricsPriority, metricsv1beta1.SchemeGroupVersion: metricsPriority,
	}
	all := map[schema.GroupVersion]priority{}
	for _, gv := range append(scheme.Versions(), schema.GroupVersion{Group: "apiextensions.k8s.io", Version: "v1"}) {
		version, ok := versions[gv]
		if !ok {
			version = 15
		}
		all[gv] = priority{groups[gv.Group], version}
	}
	return all
}

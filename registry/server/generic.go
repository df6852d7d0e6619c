package server

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/healthz"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/apiserver/pkg/util/flowcontrol"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// configure fills in the library's configuration, which the three servers (resources, custom resources, aggregation) share.
func (s *Server) configure() error {
	c := genericapiserver.NewConfig(s.scheme.Codecs)
	c.EffectiveVersion = newEffectiveVersion()
	c.FeatureGate = utilfeature.DefaultFeatureGate
	c.PublicAddress = s.config.AdvertiseAddress.AsSlice()
	c.ExternalAddress = net.JoinHostPort(s.config.AdvertiseAddress.String(), strconv.Itoa(s.config.port()))
	c.MergedResourceConfig = serverstorage.NewResourceConfig()
	c.MergedResourceConfig.EnableVersions(scheme.Versions()...)
	c.MergedResourceConfig.EnableVersions(apiextensionsv1.SchemeGroupVersion, apiregistrationv1.SchemeGroupVersion)
	identity := sync.OnceValue(func() func(schema.GroupResource) string { return resource.Identity(s.declarations...) })
	c.EquivalentResourceRegistry = runtime.NewEquivalentResourceRegistryWithIdentity(func(gr schema.GroupResource) string { return identity()(gr) })
	c.StorageObjectCountTracker = s.stores.Tracker
	c.LongRunningFunc = andEtcd(genericfilters.BasicLongRunningRequestCheck(
		sets.NewString("watch", "proxy"), sets.NewString("attach", "exec", "proxy", "log", "portforward")))
	c.AggregatedDiscoveryGroupManager = aggregated.NewResourceManager("apis")
	c.LoopbackClientConfig = s.ClientConfig(serverUser)
	c.AuditBackend, c.AuditPolicyRuleEvaluator = s.config.Audit, s.config.AuditPolicy
	c.BuildHandlerChainFunc = s.chain
	if s.config.Flags != nil {
		c.Flagz = flags(s.config.Flags)
	}
	c.AddHealthChecks(s.etcdCheck("etcd"))
	c.AddReadyzChecks(s.etcdCheck("etcd-readiness"))
	if s.stores.Encryption != nil {
		c.AddHealthChecks(s.stores.Encryption.Checks...)
	}
	s.generic = c
	return nil
}

// flags is the library's interface to Config.Flags.
type flags func() map[string]string

func (f flags) GetFlagz() map[string]string { return f() }

// serverUser is whom the server's own requests come from.
const serverUser = "system:apiserver"

func (s *Server) etcdCheck(name string) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error { return s.backend.Healthy() })
}

// listen makes the server listen, with TLS.
func (s *Server) listen() error {
	s.generic.SecureServing = &genericapiserver.SecureServingInfo{Listener: s.config.Listener, Cert: certificate(s.config.Certificate), HTTP2MaxStreamsPerConnection: 1000}
	for _, authority := range []struct {
		name string
		pem  []byte
	}{{"client-ca", s.config.ClientCA}, {"request-header", s.config.FrontProxy.CA}} {
		if len(authority.pem) == 0 {
			continue
		}
		content, err := dynamiccertificates.NewStaticCAContent(authority.name, authority.pem)
		if err != nil {
			return fmt.Errorf("reading the authority %s: %w", authority.name, err)
		}
		if err := s.generic.Authentication.ApplyClientCert(content, s.generic.SecureServing); err != nil {
			return fmt.Errorf("adding the authority %s: %w", authority.name, err)
		}
	}
	return nil
}

// certificate is the library's interface to Config.Certificate.
type certificate func() (certificate, key []byte)

func (certificate) Name() string                              { return "serving" }
func (c certificate) CurrentCertKeyContent() ([]byte, []byte) { return c() }
func (certificate) AddListener(dynamiccertificates.Listener)  {}

// shareFairly makes requests wait for their turn, by priority and fairness.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
func (s *Server) shareFairly() error {
	limit := s.generic.MaxRequestsInFlight + s.generic.MaxMutatingRequestsInFlight
	s.generic.FlowControl = flowcontrol.New(s.informers, s.client.FlowcontrolV1(), limit)
	return nil
}

package server

import (
	"cmp"
	"context"
	"fmt"

	"github.com/emicklei/go-restful/v3"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/registry/authn/serviceaccount"
	"github.com/coracle-k8s/coracle/registry/authz/rbac"
	"github.com/coracle-k8s/coracle/registry/core/address"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/inprocess"
	"github.com/coracle-k8s/coracle/registry/resource"
	"github.com/coracle-k8s/coracle/registry/server/bootstrap"
	"github.com/coracle-k8s/coracle/registry/storage"
	"github.com/coracle-k8s/coracle/registry/tee"
)

// Server is one API server, with its storage.
type Server struct {
	config    Config
	scheme    *scheme.Scheme
	backend   *storage.Backend
	stores    *storage.Stores
	tee       *tee.Hub
	door      *inprocess.Door
	self      user.Info // whom the server's own requests come from
	client    kubernetes.Interface
	mapper    meta.RESTMapper
	informers informers.SharedInformerFactory

	tokens     *serviceaccount.Tokens // nil: there are none
	authorizer authorizer.Authorizer
	rules      authorizer.RuleResolver
	guard      rbac.Guard

	allocator    *address.Allocator
	kubelets     *kubelets.Transport // nil: none is reached
	metrics      *yielding
	generic      *genericapiserver.Config
	declarations []resource.Declaration
	endpoints    resource.Storage
	services     []*restful.WebService
	bootstrap    *bootstrap.Bootstrap
	run          func(context.Context) error
	stopping     stopping
	stop         context.CancelFunc // makes stopping end
	complete     chan struct{}      // closed when all URLs are known
	answering    chan struct{}
	ready        chan struct{}
}

// New opens the storage and assembles a server. ctx bounds the opening. On success the caller must call Run, which ends
// what New began.
func New(ctx context.Context, c Config) (_ *Server, err error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configuring the API server: %w", err)
	}
	s := &Server{
		config: c, door: inprocess.NewDoor(), self: &user.DefaultInfo{Name: serverUser, Groups: []string{user.SystemPrivilegedGroup, user.AllAuthenticated}},
		complete: make(chan struct{}), answering: make(chan struct{}), ready: make(chan struct{}),
	}
	s.stopping.Context, s.stop = context.WithCancel(context.Background())
	if s.scheme, err = scheme.New(); err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	s.tee = tee.New(s.scheme.Scheme, c.DetectMutations)
	if err := s.openStorage(ctx); err != nil {
		return nil, err
	}
	if err := s.assemble(); err != nil {
		s.backend.Close()
		return nil, fmt.Errorf("assembling the API server: %w", err)
	}
	return s, nil
}

// Run serves until ctx ends, and returns when everything has stopped.
func (s *Server) Run(ctx context.Context) error {
	defer s.backend.Close()
	defer s.stop()
	defer context.AfterFunc(ctx, func() { guard.Insist("stopping the API server", s.stop) })()
	informersCtx, stop := context.WithCancel(ctx)
	defer s.informers.Shutdown()
	defer stop()
	defer s.door.Close()
	s.informers.Start(informersCtx.Done())
	running, end := context.WithCancel(ctx)
	defer end()
	guard.GoKeep(running, "storage failure", func(running context.Context) {
		select {
		case <-s.backend.Failed():
			end()
		case <-running.Done():
		}
	})
	err := s.run(running)
	return cmp.Or(s.backend.Err(), err)
}

// StorageFailed is closed when the embedded etcd cannot go on. Run then ends, but may have to wait for requests that never will.
func (s *Server) StorageFailed() <-chan struct{} { return s.backend.Failed() }

// Collectors are the server's own metrics.
func (s *Server) Collectors() []prometheus.Collector {
	if s.backend.Upkeep == nil {
		return nil
	}
	return s.backend.Upkeep.Collectors()
}

// Answering is closed when the server is ready, or would be but for objects that it has to make first and could not in a few
// seconds: what runs beside it need not wait for those, and may be what they wait for.
func (s *Server) Answering() <-chan struct{} { return s.answering }

// Ready is closed when the server has answered that it is.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// ClientConfig is for clients in this process. They act as the named user, in these groups and that of all authenticated
// users, through the whole handler chain: authorization, admission and audit hold for them. Exec, attach and port-forward
// need a real connection. The server's own user is also in system:masters, and no webhook and no policy of users is asked about what
// it writes: see admission.Config.Exempt.
func (s *Server) ClientConfig(name string, groups ...string) *rest.Config {
	var as user.Info = &user.DefaultInfo{Name: name, Groups: append(groups, user.AllAuthenticated)}
	if name == serverUser {
		as = s.self
	}
	return &rest.Config{
		Host:      "http://in-process",
		Transport: s.door.As(as),
		QPS:       -1, DisableCompression: true, WarningHandler: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{
			ContentType:        "application/vnd.kubernetes.protobuf",
			AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		},
	}
}

// Informers share the objects that the server holds: read only. What is asked for before Run is started by it; later
// askers must start theirs.
func (s *Server) Informers() informers.SharedInformerFactory { return s.informers }

// CacheOptions make a controller-runtime cache that shares the objects that the server holds: read only. config is a
// ClientConfig; its user must be allowed to list what is cached.
func (s *Server) CacheOptions(config *rest.Config) cache.Options {
	return s.tee.CacheOptions(config.Transport)
}

// Tee is where the shared objects are: a controller may wait there for its own write.
func (s *Server) Tee() *tee.Hub { return s.tee }

// Tokens issues the tokens of service accounts, and knows them again. It is nil if there is nothing to sign them with.
func (s *Server) Tokens() *serviceaccount.Tokens { return s.tokens }

// WebServices are the URLs that the server answers to, for the generation of OpenAPI documents.
func (s *Server) WebServices() []*restful.WebService { return s.services }

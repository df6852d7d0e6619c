// Package core declares the resources of the core group, and Events, which are served in a group of their own too.
package core

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/util/proxy"
	policyclient "k8s.io/client-go/kubernetes/typed/policy/v1"

	"github.com/coracle-k8s/coracle/registry/core/address"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// Config is what the group's resources need besides their objects.
type Config struct {
	// Addresses hands out cluster IPs and node ports. Required.
	Addresses *address.Allocator
	// Tokens issues service account tokens. Nil: none are issued.
	Tokens Tokens
	// Kubelets says how to talk to kubelets; Nodes are looked up among the group's own. Nil: exec, logs and the like fail.
	Kubelets *kubelets.Transport
	// Proxied carries requests to Pods and Services on behalf of clients. Nil: http.DefaultTransport without its proxy.
	Proxied http.RoundTripper
	// Slices are where Services lead to, for requests to them. Nil: nowhere.
	Slices proxy.EndpointSliceGetter
	// Authorizer is asked whether who upgrades a GET to a WebSocket may also create. Nil: nobody is asked.
	Authorizer authorizer.UnconditionalAuthorizer
	// Budgets are the disruption budgets that an eviction asks and charges.
	Budgets policyclient.PodDisruptionBudgetsGetter
	// Components are what componentstatuses shows, each with its check; nil error means healthy.
	Components map[string]func(ctx context.Context) error
}

// Tokens issues service account tokens.
type Tokens interface {
	// Prepare fills in what a request for a token leaves out and checks it, before validating admission.
	Prepare(account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) error
	// Issue answers a prepared request; the result is a copy.
	Issue(ctx context.Context, account *corev1.ServiceAccount, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)
}

// Group is the core group's resources, and the endpoints that have no objects of their own.
type Group struct {
	declarations []resource.Declaration
	endpoints    resource.Storage
}

// New declares the group. It starts nothing; the resources work once a resource.Kit has built them.
func New(c Config) *Group {
	if c.Proxied == nil {
		c.Proxied = kubelets.Direct()
	}
	nodes := nodes(c)
	pods := pods(c, nodes)
	return &Group{
		declarations: []resource.Declaration{
			configMaps(), endpoints(), events(), limitRanges(), namespaces(), nodes,
			persistentVolumeClaims(), persistentVolumes(), pods, podTemplates(), replicationControllers(),
			resourceQuotas(), secrets(), serviceAccounts(c.Tokens), services(c, pods),
		},
		endpoints: resource.Storage{corev1.SchemeGroupVersion: {
			"bindings":          newBindings(pods),
			"componentstatuses": newComponentStatuses(c.Components),
		}},
	}
}

// Resources of the group, in the order of their names.
func (g *Group) Resources() []resource.Declaration { return g.declarations }

// Endpoints of the group that have no objects: top-level bindings and componentstatuses.
func (g *Group) Endpoints() resource.Storage { return g.endpoints }

// Resources of the group. Use New where Endpoints are needed too: they share the pods.
func Resources(c Config) []resource.Declaration { return New(c).Resources() }

package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/cmd/part"
	"github.com/coracle-k8s/coracle/controllers"
	"github.com/coracle-k8s/coracle/controllers/scheduler"
)

const (
	managerUser   = "system:kube-controller-manager"
	schedulerUser = "system:kube-scheduler"
)

// defaultNodePorts are upstream's.
var defaultNodePorts = [2]int32{30000, 32767}

// runControllers runs all controllers on one cache, which shares the API server's objects. Each writes as its own user.
func (c *Cluster) runControllers(ctx context.Context) error {
	reads := c.api.ClientConfig(managerUser)
	mgr, err := manager.New(reads, manager.Options{
		Scheme:                 clientscheme.Scheme,
		Cache:                  c.api.CacheOptions(reads),
		Metrics:                metricsserver.Options{BindAddress: "0"}, // the API server serves those of the whole process
		HealthProbeBindAddress: "0",
		Controller:             config.Controller{SkipNameValidation: ptr.To(true)},
		Logger:                 klog.Background().WithName("controllers"),
	})
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	recorders := &recorders{cluster: c, ctx: ctx}
	defer recorders.stop()
	err = controllers.Register(mgr, controllers.Config{
		Client:      func(user string) client.Client { return c.clientOf(mgr, user) },
		RESTConfig:  c.configOf,
		Recorder:    recorders.of,
		ClusterCIDR: c.options.nodeCIDRs(), NodeCIDRBits: c.options.NodeCIDRMaskSize,
		ServiceCIDR: netip.MustParsePrefix(c.options.ServiceCIDR),
		NodePorts:   defaultNodePorts,
		RootCA:      c.keys.CA.CertPEM, TokenForSecret: c.api.Tokens().ForSecret,
		SigningCert: c.keys.CA.CertPEM, SigningKey: c.keys.CA.KeyPEM,
		SigningLifetime: c.options.SigningDuration, APIServerHosts: c.keys.ServingHosts, ClusterDomain: c.options.ClusterDomain,
		NodeMonitorGrace: c.options.NodeMonitorGrace,
		NoLocalStorage:   slices.Contains(c.options.Disable, volume.LocalStorage),
	})
	if err != nil {
		return fmt.Errorf("registering controllers: %w", err)
	}
	return mgr.Start(ctx)
}

// runScheduler runs the scheduler on the API server's own informers.
func (c *Cluster) runScheduler(ctx context.Context) error {
	own, err := kubernetes.NewForConfig(c.api.ClientConfig(schedulerUser))
	if err != nil {
		return err
	}
	recorders := &recorders{cluster: c, ctx: ctx}
	defer recorders.stop()
	s, err := scheduler.New(scheduler.Config{Informers: c.api.Informers(), Client: own, Events: recorders.of(schedulerUser)})
	if err != nil {
		return fmt.Errorf("making the scheduler: %w", err)
	}
	defer part.Expose(s.Collectors())()
	return s.Run(ctx)
}

// configOf is an in-process client configuration of one of the cluster's own users.
func (c *Cluster) configOf(user string) *rest.Config {
	var groups []string
	if namespaced, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		namespace, _, _ := strings.Cut(namespaced, ":")
		groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
	}
	if strings.HasPrefix(user, "system:node:") {
		groups = []string{"system:nodes"}
	}
	config := c.api.ClientConfig(user, groups...)
	config.WarningHandlerWithContext = rest.NoWarnings{} // that Endpoints are deprecated is no news to their controller
	return config
}

// clientOf reads from the manager's cache and writes as the user.
func (c *Cluster) clientOf(mgr manager.Manager, user string) client.Client {
	as := c.configOf(user)
	as.ContentConfig = rest.ContentConfig{} // the library's choice: protobuf for all but what is applied, which it reads as JSON only
	of, err := client.New(as, client.Options{
		Scheme: clientscheme.Scheme, Mapper: mgr.GetRESTMapper(), Cache: &client.CacheOptions{Reader: mgr.GetCache()},
	})
	if err != nil { // the configuration is ours: only its syntax is checked
		panic(fmt.Errorf("making the client of %s: %w", user, err))
	}
	return of
}

// recorders write Events, each as its own user.
type recorders struct {
	cluster *Cluster
	ctx     context.Context
	all     []events.EventBroadcaster
}

// of returns a recorder whose Events name the last part of user as their reporter.
func (r *recorders) of(user string) events.EventRecorder {
	own := kubernetes.NewForConfigOrDie(r.cluster.configOf(user))
	b := events.NewBroadcaster(&events.EventSinkImpl{Interface: own.EventsV1()})
	if err := b.StartRecordingToSinkWithContext(r.ctx); err != nil {
		klog.ErrorS(err, "Starting to record Events", "user", user)
	}
	r.all = append(r.all, b)
	reporter := user[strings.LastIndexByte(user, ':')+1:]
	if user == schedulerUser {
		reporter = "default-scheduler"
	}
	return b.NewRecorder(clientscheme.Scheme, reporter)
}

func (r *recorders) stop() {
	for _, b := range r.all {
		b.Shutdown()
	}
}

// Package controllers is the list of all controllers.
package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/coracle-k8s/coracle/controllers/bootstrap"
	"github.com/coracle-k8s/coracle/controllers/certificates"
	"github.com/coracle-k8s/coracle/controllers/clusterroleaggregation"
	"github.com/coracle-k8s/coracle/controllers/clustertrustbundle"
	"github.com/coracle-k8s/coracle/controllers/cronjob"
	"github.com/coracle-k8s/coracle/controllers/daemon"
	"github.com/coracle-k8s/coracle/controllers/deployment"
	"github.com/coracle-k8s/coracle/controllers/devicetainteviction"
	"github.com/coracle-k8s/coracle/controllers/disruption"
	"github.com/coracle-k8s/coracle/controllers/endpoint"
	"github.com/coracle-k8s/coracle/controllers/endpointslice"
	"github.com/coracle-k8s/coracle/controllers/endpointslicemirroring"
	"github.com/coracle-k8s/coracle/controllers/garbagecollector"
	"github.com/coracle-k8s/coracle/controllers/ipallocator"
	"github.com/coracle-k8s/coracle/controllers/job"
	"github.com/coracle-k8s/coracle/controllers/namespace"
	"github.com/coracle-k8s/coracle/controllers/nodeipam"
	"github.com/coracle-k8s/coracle/controllers/nodelifecycle"
	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/controllers/podautoscaler"
	"github.com/coracle-k8s/coracle/controllers/podcertificatecleaner"
	"github.com/coracle-k8s/coracle/controllers/podgc"
	"github.com/coracle-k8s/coracle/controllers/podset"
	"github.com/coracle-k8s/coracle/controllers/replicaset"
	"github.com/coracle-k8s/coracle/controllers/replication"
	"github.com/coracle-k8s/coracle/controllers/resourcequota"
	"github.com/coracle-k8s/coracle/controllers/rootcacertpublisher"
	"github.com/coracle-k8s/coracle/controllers/seen"
	"github.com/coracle-k8s/coracle/controllers/serviceaccount"
	"github.com/coracle-k8s/coracle/controllers/serviceaccounttoken"
	"github.com/coracle-k8s/coracle/controllers/servicecidrs"
	"github.com/coracle-k8s/coracle/controllers/statefulset"
	"github.com/coracle-k8s/coracle/controllers/storagemigration"
	"github.com/coracle-k8s/coracle/controllers/tainteviction"
	"github.com/coracle-k8s/coracle/controllers/ttlafterfinished"
	"github.com/coracle-k8s/coracle/controllers/validatingadmissionpolicystatus"
	"github.com/coracle-k8s/coracle/controllers/volume/ephemeral"
	"github.com/coracle-k8s/coracle/controllers/volume/localstorage"
	"github.com/coracle-k8s/coracle/controllers/volume/persistentvolume"
	"github.com/coracle-k8s/coracle/controllers/volume/pvcprotection"
	"github.com/coracle-k8s/coracle/controllers/volume/pvprotection"
	"github.com/coracle-k8s/coracle/controllers/volume/vacprotection"
)

// Config is what the controllers need besides a manager. Client, RESTConfig and Recorder are called for each controller
// with its user name: "system:serviceaccount:kube-system:<controller>", "system:kube-controller-manager", or
// "system:apiserver", which must be one of the system:masters.
type Config struct {
	// Client reads typed objects from the manager's cache and writes as the user. Unstructured objects must be read
	// from the server, which is what controller-runtime's client does by default.
	Client func(user string) client.Client
	// RESTConfig is for what goes around the cache: discovery, metadata of any resource, typed clients of libraries.
	RESTConfig func(user string) *rest.Config
	// Recorder writes Events as the user.
	Recorder func(user string) events.EventRecorder
	// WaitFor returns when the manager's cache shows the object at its resource version or later. Nil is fine: then
	// the cache is looked at until it does.
	WaitFor func(ctx context.Context, o client.Object) error

	// ClusterCIDR is what Pod addresses of Nodes are cut from; the zero value means that Nodes get none.
	ClusterCIDR netip.Prefix
	// NodeCIDRBits is the prefix length of a Node's share of ClusterCIDR; zero means 24 for IPv4, 64 for IPv6.
	NodeCIDRBits int
	// ServiceCIDR is what cluster IPs of Services are from; no Node gets a part of it.
	ServiceCIDR netip.Prefix
	// NodePorts are the first and the last port that Services may have on Nodes.
	NodePorts [2]int32
	// RootCA is the PEM bundle that Pods trust the API server by.
	RootCA []byte
	// TokenForSecret makes the token of an account that is kept in a Secret. Nil: such Secrets stay as they are.
	TokenForSecret func(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error)
	// SigningCert and SigningKey are the CA that signs requested certificates, PEM. Without a key, nothing is signed.
	SigningCert, SigningKey []byte
	// SigningLifetime is the longest that such a certificate is valid; zero means a year.
	SigningLifetime time.Duration
	// APIServerHosts are the names and addresses of the API server: no node gets a certificate for them by itself.
	APIServerHosts []string
	// ClusterDomain ends the names of Services.
	ClusterDomain string

	// NoLocalStorage is that no volumes are made in directories of nodes.
	NoLocalStorage bool

	// NodeMonitorGrace is how long a Node may be silent before it is unreachable; zero means 50 seconds.
	NodeMonitorGrace time.Duration
	// NodeStartupGrace is the same for a Node that has not reported yet; zero means 60 seconds.
	NodeStartupGrace time.Duration
}

// kit is Config for one controller.
type kit struct {
	Config
	mgr  manager.Manager
	user string
}

// client writes nothing that the cache does not show on return.
func (k kit) client() client.Client {
	return seen.New(k.Client(k.user), k.mgr.GetCache(), k.WaitFor)
}

func (k kit) recorder() events.EventRecorder { return k.Recorder(k.user) }

func (k kit) clientset() (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(k.RESTConfig(k.user))
}

func (k kit) discovery() (discovery.DiscoveryInterface, error) {
	return discovery.NewDiscoveryClientForConfig(k.RESTConfig(k.user))
}

func (k kit) metadata() (metadata.Interface, error) {
	return metadata.NewForConfig(k.RESTConfig(k.user))
}

// unit is one controller: the service account in kube-system, or the other user, that it writes as, and how to put it on
// the manager.
type unit struct {
	account  string
	register func(kit) error
}

// These are not service accounts: the API server's own user, for what is its own work, and the one that may write
// Secrets of all namespaces, which no service account may.
const (
	apiServer         = "system:apiserver"
	controllerManager = "system:kube-controller-manager"
)

func (u unit) user() string {
	switch u.account {
	case apiServer, controllerManager:
		return u.account
	}
	return "system:serviceaccount:kube-system:" + u.account
}

// all lists every controller. The order means nothing.
func all() []unit {
	return []unit{
		{apiServer, func(k kit) error { return ipallocator.Register(k.mgr, k.client(), k.recorder()) }},
		{controllerManager, registerServiceAccountToken},
		{bootstrap.SignerName, func(k kit) error { return bootstrap.RegisterSigner(k.mgr, k.client()) }},
		{bootstrap.CleanerName, func(k kit) error { return bootstrap.RegisterCleaner(k.mgr, k.client()) }},
		{certificates.Name, registerCertificates},
		{clustertrustbundle.Name, func(k kit) error { return clustertrustbundle.Register(k.mgr, k.client(), k.RootCA) }},
		{clusterroleaggregation.Name, func(k kit) error { return clusterroleaggregation.Register(k.mgr, k.client()) }},
		{cronjob.Name, func(k kit) error { return cronjob.Register(k.mgr, k.client(), k.recorder()) }},
		{daemon.Name, func(k kit) error { return daemon.Register(k.mgr, k.client(), k.recorder()) }},
		{deployment.Name, func(k kit) error { return deployment.Register(k.mgr, k.client(), k.recorder()) }},
		{devicetainteviction.Name, func(k kit) error { return devicetainteviction.Register(k.mgr, k.client(), k.recorder()) }},
		{disruption.Name, func(k kit) error { return disruption.Register(k.mgr, k.client(), k.recorder()) }},
		{endpoint.Name, func(k kit) error { return endpoint.Register(k.mgr, k.client(), k.recorder()) }},
		{endpointslice.Name, registerEndpointSlice},
		{endpointslicemirroring.Name, func(k kit) error { return endpointslicemirroring.Register(k.mgr, k.client(), k.recorder()) }},
		{ephemeral.Name, func(k kit) error { return ephemeral.Register(k.mgr, k.client(), k.recorder()) }},
		{garbagecollector.Name, registerGarbageCollector},
		{job.Name, func(k kit) error { return job.Register(k.mgr, k.client(), k.recorder()) }},
		{localstorage.Name, registerLocalStorage},
		{namespace.Name, registerNamespace},
		{nodelifecycle.Account, registerNodeIPAM},
		{nodelifecycle.Account, registerNodeLifecycle},
		{nodelifecycle.Account, func(k kit) error { return tainteviction.Register(k.mgr, k.client(), k.recorder()) }},
		{persistentvolume.Account, func(k kit) error { return persistentvolume.Register(k.mgr, k.client(), k.recorder()) }},
		{podautoscaler.Name, registerAutoscaler},
		{podcertificatecleaner.Name, func(k kit) error { return podcertificatecleaner.Register(k.mgr, k.client()) }},
		{podgc.Name, func(k kit) error { return podgc.Register(k.mgr, k.client(), k.recorder()) }},
		{pvcprotection.Name, func(k kit) error { return pvcprotection.Register(k.mgr, k.client()) }},
		{pvprotection.Name, func(k kit) error { return pvprotection.Register(k.mgr, k.client()) }},
		{replication.Name, func(k kit) error { return replication.Register(k.mgr, k.client(), k.recorder()) }},
		{replicaset.Name, func(k kit) error { return replicaset.Register(k.mgr, k.client(), k.recorder()) }},
		{resourcequota.Name, func(k kit) error { return resourcequota.Register(k.mgr, k.client()) }},
		{rootcacertpublisher.Name, func(k kit) error { return rootcacertpublisher.Register(k.mgr, k.client(), k.RootCA) }},
		{statefulset.Name, func(k kit) error { return statefulset.Register(k.mgr, k.client(), k.recorder()) }},
		{serviceaccount.Name, func(k kit) error { return serviceaccount.Register(k.mgr, k.client()) }},
		{servicecidrs.Name, registerServiceCIDRs},
		{storagemigration.Name, registerStorageMigration},
		{ttlafterfinished.Name, func(k kit) error { return ttlafterfinished.Register(k.mgr, k.client()) }},
		{validatingadmissionpolicystatus.Name, registerPolicyStatus},
		{vacprotection.Name, func(k kit) error { return vacprotection.Register(k.mgr, k.client()) }},
	}
}

// Register puts every controller on the manager. It starts nothing; the manager does. The manager's client is not
// used, only its cache.
func Register(mgr manager.Manager, c Config) error {
	for _, add := range []func(context.Context, client.FieldIndexer) error{owned.AddIndexes, podset.AddIndexes, persistentvolume.AddIndexes, pvcprotection.AddIndexes, devicetainteviction.AddIndexes, localstorage.AddIndexes} {
		if err := add(context.Background(), mgr.GetFieldIndexer()); err != nil {
			return err
		}
	}
	for _, controller := range all() {
		k := kit{Config: c, mgr: mgr, user: controller.user()}
		if err := controller.register(k); err != nil {
			return fmt.Errorf("registering a controller of %s: %w", controller.user(), err)
		}
	}
	return nil
}

func registerEndpointSlice(k kit) error {
	clientset, err := k.clientset()
	if err != nil {
		return err
	}
	return endpointslice.Register(k.mgr, k.client(), clientset, k.recorder())
}

func registerNamespace(k kit) error {
	resources, err := k.discovery()
	if err != nil {
		return err
	}
	objects, err := k.metadata()
	if err != nil {
		return err
	}
	return namespace.Register(k.mgr, k.client(), resources, objects)
}

func registerStorageMigration(k kit) error {
	resources, err := k.discovery()
	if err != nil {
		return err
	}
	objects, err := k.metadata()
	if err != nil {
		return err
	}
	return storagemigration.Register(k.mgr, k.client(), k.Client(k.user), resources, objects)
}

func registerGarbageCollector(k kit) error {
	resources, err := k.discovery()
	if err != nil {
		return err
	}
	objects, err := k.metadata()
	if err != nil {
		return err
	}
	return garbagecollector.Register(k.mgr, resources, objects, k.recorder())
}

func registerNodeIPAM(k kit) error {
	if !k.ClusterCIDR.IsValid() {
		return nil
	}
	return nodeipam.Register(k.mgr, k.client(), k.recorder(), k.ClusterCIDR, k.ServiceCIDR, k.NodeCIDRBits)
}

func registerNodeLifecycle(k kit) error {
	return nodelifecycle.Register(k.mgr, k.client(), k.recorder(), k.NodeMonitorGrace, k.NodeStartupGrace)
}

func registerCertificates(k kit) error {
	return certificates.Register(k.mgr, k.client(), k.Client(k.user), k.recorder(), certificates.Config{
		CACert: k.SigningCert, CAKey: k.SigningKey, Lifetime: k.SigningLifetime, Reserved: k.APIServerHosts, ClusterDomain: k.ClusterDomain,
	})
}

func registerServiceAccountToken(k kit) error {
	if k.TokenForSecret == nil {
		return nil
	}
	return serviceaccounttoken.Register(k.mgr, k.client(), k.TokenForSecret, k.RootCA)
}

func registerPolicyStatus(k kit) error {
	clientset, err := k.clientset()
	if err != nil {
		return err
	}
	schemas, err := k.discovery()
	if err != nil {
		return err
	}
	return validatingadmissionpolicystatus.Register(k.mgr, k.client(), clientset, schemas)
}

func registerServiceCIDRs(k kit) error {
	clientset, err := k.clientset()
	if err != nil {
		return err
	}
	return servicecidrs.Register(k.mgr, k.client(), clientset)
}

func registerAutoscaler(k kit) error {
	resources, err := k.discovery()
	if err != nil {
		return err
	}
	config := k.RESTConfig(k.user)
	scales, err := podautoscaler.NewScales(config, k.mgr.GetRESTMapper(), resources)
	if err != nil {
		return err
	}
	metrics, err := podautoscaler.NewMetrics(config, k.mgr.GetRESTMapper(), resources)
	if err != nil {
		return err
	}
	return podautoscaler.Register(k.mgr, k.client(), k.recorder(), metrics, scales, podautoscaler.Config{})
}

func registerLocalStorage(k kit) error {
	if k.NoLocalStorage {
		return nil
	}
	clientset, err := k.clientset()
	if err != nil {
		return err
	}
	return localstorage.Register(k.mgr, k.client(), k.recorder(), localstorage.NewNodes(clientset.CoreV1().RESTClient()))
}

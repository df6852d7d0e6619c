// Package controllers_test runs all controllers against a real API server, each as its own user, over HTTPS.
package controllers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/controllers"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
)

// patience is how long a test waits for what should happen at once; machines may be slow.
const patience = await.Limit

// admin is a client of the cluster's administrator, without a cache; adminConfig is its configuration.
var (
	admin       client.WithWatch
	adminConfig *rest.Config
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	apitest.RouteLogs()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir, err := os.MkdirTemp("", "controllers")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	stopped := make(chan error, 2)
	if err := start(ctx, dir, stopped); err != nil {
		fmt.Fprintln(os.Stderr, "starting:", err)
		return 1
	}
	code := m.Run()
	cancel()
	for range 2 {
		select {
		case err := <-stopped:
			if err != nil {
				fmt.Fprintln(os.Stderr, "stopping:", err)
				code = 1
			}
		case <-time.After(patience):
			fmt.Fprintln(os.Stderr, "server or controllers never stopped")
			return 1
		}
	}
	return code
}

func start(ctx context.Context, dir string, stopped chan error) error {
	running, err := apitest.New(ctx, apitest.Options{Dir: filepath.Join(dir, "server"), Change: func(c *server.Config) {
		c.Kubelet = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // tests' own
	}})
	if err != nil {
		return err
	}
	go func() { stopped <- running.Server.Run(ctx) }()
	select {
	case <-running.Server.Ready():
	case err := <-stopped:
		return fmt.Errorf("the server stopped before it was ready: %w", err)
	case <-time.After(patience):
		return errors.New("the server never got ready")
	}
	if adminConfig, err = running.Admin(); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		return err
	}
	if admin, err = client.NewWithWatch(adminConfig, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	mgr, err := manager.New(adminConfig, manager.Options{
		Scheme:     clientscheme.Scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return err
	}
	err = controllers.Register(mgr, controllers.Config{
		Client:           func(user string) client.Client { return clientOf(mgr, user) },
		RESTConfig:       as,
		Recorder:         func(user string) events.EventRecorder { return recorderOf(ctx, user) },
		ClusterCIDR:      netip.MustParsePrefix("10.244.0.0/16"),
		ServiceCIDR:      netip.MustParsePrefix("10.96.0.0/16"),
		NodePorts:        [2]int32{30000, 32767},
		RootCA:           running.PKI.CA.CertPEM,
		TokenForSecret:   running.Server.Tokens().ForSecret,
		NodeMonitorGrace: 2 * time.Second,
		NodeStartupGrace: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	go func() { stopped <- mgr.Start(ctx) }()
	return nil
}

// as is a configuration of the user with the groups that its name tells.
func as(user string) *rest.Config {
	c := rest.CopyConfig(adminConfig)
	c.Impersonate.UserName = user
	switch {
	case user == "system:apiserver":
		c.Impersonate.Groups = []string{"system:masters"}
	case strings.HasPrefix(user, "system:serviceaccount:"):
		c.Impersonate.Groups = []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:kube-system"}
	}
	return c
}

func clientOf(mgr manager.Manager, user string) client.Client {
	c, err := client.New(as(user), client.Options{
		Scheme: clientscheme.Scheme, Mapper: mgr.GetRESTMapper(), Cache: &client.CacheOptions{Reader: mgr.GetCache()},
	})
	if err != nil {
		panic(err)
	}
	return c
}

func recorderOf(ctx context.Context, user string) events.EventRecorder {
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: kubernetes.NewForConfigOrDie(as(user)).EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		panic(err)
	}
	context.AfterFunc(ctx, broadcaster.Shutdown)
	return broadcaster.NewRecorder(clientscheme.Scheme, user[strings.LastIndexByte(user, ':')+1:])
}

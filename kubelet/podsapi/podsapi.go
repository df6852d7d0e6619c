// Package podsapi tells programs of this machine of the node's Pods over Unix sockets: all of them and what becomes of them (the kubelet's
// Pods API), and what of the node's resources is theirs alone (the Pod Resources API). They need not ask the API server, and are told while
// that is away.
package podsapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	resourcesv1 "k8s.io/kubelet/pkg/apis/podresources/v1"
	podsv1alpha1 "k8s.io/kubelet/pkg/apis/pods/v1alpha1"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
)

// Pods are those of the node.
type Pods interface {
	// Pods returns all, with their latest statuses.
	Pods() []*corev1.Pod
}

// Config is what is told.
type Config struct {
	// RootDir holds the sockets: pods-api/pods-api.sock and pod-resources/kubelet.sock.
	RootDir string
	Pods    Pods
	// Settled tells whether this process has found out what becomes of a Pod. Until then its status is that of an earlier one.
	Settled func(types.UID) bool
	Changes *Changes
	Metrics *metrics.Metrics
}

const (
	// perSecond and burst bound requests, as upstream's.
	perSecond, burst = 100, 10
	// listenAgain is the time between two tries to listen.
	listenAgain = 30 * time.Second
)

// Run serves until ctx ends. Where it cannot listen it tries again.
func Run(ctx context.Context, c Config) {
	var serving guard.Group
	defer serving.Wait()
	for name, register := range map[string]func(*grpc.Server){
		filepath.Join("pods-api", "pods-api.sock"):     func(s *grpc.Server) { podsv1alpha1.RegisterPodsServer(s, &podsServer{Config: c}) },
		filepath.Join("pod-resources", "kubelet.sock"): func(s *grpc.Server) { resourcesv1.RegisterPodResourcesListerServer(s, &resourcesServer{Config: c}) },
	} {
		path := filepath.Join(c.RootDir, name)
		serving.Keep(ctx, "socket of pods", func(ctx context.Context) {
			for {
				err := c.serve(ctx, path, register)
				if ctx.Err() != nil {
					return
				}
				klog.FromContext(ctx).Error(err, "Telling of pods over a socket, trying again", "socket", path, "after", listenAgain)
				select {
				case <-ctx.Done():
				case <-time.After(listenAgain):
				}
			}
		})
	}
}

// serve listens until ctx ends. Streams end with it.
func (c Config) serve(ctx context.Context, path string, register func(*grpc.Server)) error {
	listener, err := listen(ctx, path)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", path, err)
	}
	limit := rate.NewLimiter(perSecond, burst)
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
			defer func() { c.Metrics.PodRequest(info.FullMethod, codeOf(err)) }()
			if !limit.Allow() {
				return nil, status.Error(codes.ResourceExhausted, "rejected by rate limit")
			}
			failed := guard.Call("telling of pods", func() error { answer, err = next(ctx, request); return nil })
			if failed != nil {
				err = contained()
			}
			return answer, err
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
			defer func() { c.Metrics.PodRequest(info.FullMethod, codeOf(err)) }()
			failed := guard.Call("telling of changes of pods", func() error { err = next(server, stream); return nil })
			if failed != nil {
				err = contained()
			}
			return err
		}),
	)
	register(server)
	stop := context.AfterFunc(ctx, func() { guard.Insist("ending a socket of pods", server.Stop) })
	defer stop()
	defer server.Stop()
	return server.Serve(listener)
}

// contained is what who asks is told of a panic.
func contained() error { return status.Error(codes.Internal, "the kubelet could not answer") }

func codeOf(err error) string {
	if errors.Is(err, context.Canceled) {
		return codes.Canceled.String()
	}
	return status.Code(err).String()
}

// listen makes a socket that only root may use; one that is left of an earlier process goes.
func listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return (&net.ListenConfig{}).Listen(ctx, "unix", path)
}

package kubelet

import (
	"context"

	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/coracle-k8s/coracle/kubelet/server"
)

// serve answers requests to the kubelet until ctx ends. A kubelet without a certificate serves nothing.
func (k *Kubelet) serve(ctx context.Context, p *parts) error {
	if k.Certificate == nil {
		<-ctx.Done()
		return nil
	}
	return server.New(server.Config{
		Address: k.Address, Port: k.Port, Certificate: k.Certificate, ClientCA: k.ClientCA, ServerUser: k.ServerUser,
		NodeName: k.NodeName, Client: k.Client, Pods: p.pods, Runtime: p.runtime, Metrics: legacyregistry.Handler(),
		RootDir: k.RootDir,
	}).Run(ctx)
}

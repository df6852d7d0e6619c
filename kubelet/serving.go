package kubelet

import (
	"context"
	"io/fs"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/history"
	"github.com/coracle-k8s/coracle/kubelet/meter"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/server"
)

// serve answers requests to the kubelet until ctx ends. A kubelet without a certificate serves nothing.
func (k *Kubelet) serve(ctx context.Context, p *parts) error {
	if k.Certificate == nil {
		<-ctx.Done()
		return nil
	}
	held := &storage{parts: p, podsDir: k.podsDir(), podLogsDir: k.PodLogsDir, ledger: disk.NewLedger()}
	hour := k.history(p)
	ctx, cancel := context.WithCancel(ctx)
	var group guard.Group
	defer group.Wait()
	defer cancel()
	group.Keep(ctx, "ledger of disks", held.ledger.Run)
	group.Keep(ctx, "history of use", hour.Run)
	p.metrics.OnScrape(func() metrics.Figures { return k.figures(ctx, p, held) })
	return server.New(server.Config{
		Address: k.Address, Port: k.Port, Certificate: k.Certificate, ClientCA: k.ClientCA, ServerUser: k.ServerUser,
		NodeName: k.NodeName, MaxPods: k.MaxPods, Client: k.Client, Pods: p.pods, Runtime: p.runtime, Images: p.images, Streams: k.Streams,
		Metrics: p.metrics.Handler(k.processMetrics()...), ProbeMetrics: p.probes.Metrics(), Cadvisor: k.cadvisor(p, held), Count: p.metrics.Request,
		RootDir: k.RootDir, Storage: held.of, History: hour, LocalVolumes: k.LocalVolumes,
		Threads: func() (limit, running int64, err error) {
			m, err := measurePIDs("/proc")
			return m.Total, m.Total - m.Available, err
		},
	}).Run(ctx)
}

func (k *Kubelet) processMetrics() []prometheus.Gatherer {
	if k.ProcessMetrics == nil {
		return nil
	}
	return []prometheus.Gatherer{k.ProcessMetrics}
}

// history remembers what the workers' Pods use.
func (k *Kubelet) history(p *parts) *history.Recorder {
	gauge := meter.New().Gauge()
	return history.New(history.Config{
		NodeName: k.NodeName, Machine: server.MachineUse, Pods: p.pods.Known,
		Pod: func(uid types.UID) (meter.Use, error) {
			group := p.groups.Path(uid)
			if group == "" {
				return meter.Use{}, fs.ErrNotExist
			}
			return gauge.Use(group)
		},
	})
}

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/coracle-k8s/coracle/guard"
)

// Figures are what is found out when somebody asks.
type Figures struct {
	// RunningPods have a sandbox that is ready. Containers are how many there are in each state.
	RunningPods int
	Containers  map[string]int
	// Desired are the Pods that are to run here, Active those of them that have not ended, Ephemeral their ephemeral containers.
	Desired, Active, Ephemeral int
	// PendingResizes are Pods whose resize waits.
	PendingResizes  map[Resize]int
	RunningResizes  int
	CgroupVersion   int
	Volumes         []Volume
	Logs            []Log
	PodCertificates map[PodCertificate]int
	// ServerTTL and ClientTTL are how many seconds the kubelet's certificates are valid still; infinite where it has none.
	ServerTTL, ClientTTL float64
	// ProtectedMemory and PreferredMemory are memory.min and memory.low of all Pods, in bytes; nil where that is not done.
	ProtectedMemory, PreferredMemory *int64
}

// Resize is a kind of resizes that wait.
type Resize struct{ Reason, Priority string }

// Volume is what the volume of a claim has.
type Volume struct {
	Namespace, Claim                                       string
	Bytes, Available, Used, Inodes, InodesFree, InodesUsed int64
}

// Log is what a container's logs hold.
type Log struct {
	UID, Namespace, Pod, Container string
	Bytes                          int64
}

// PodCertificate is a kind of certificates that Pods have.
type PodCertificate struct{ Signer, State string }

// OnScrape has look called each time that somebody asks. It is called once, before anybody asks.
func (m *Metrics) OnScrape(look func() Figures) {
	m.registry.RawMustRegister(figures{look})
}

type figures struct{ look func() Figures }

// Describe implements prometheus.Collector.
func (figures) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range gauges {
		ch <- g.desc
	}
}

// Collect implements prometheus.Collector. Others' metrics are served though these cannot be found out.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	var found Figures
	err := guard.Call("the kubelet's figures", func() error { found = f.look(); return nil })
	if err != nil {
		ch <- prometheus.NewInvalidMetric(gauges[0].desc, err)
		return
	}
	for _, g := range gauges {
		g.samples(&found, func(value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, labels...)
		})
	}
}

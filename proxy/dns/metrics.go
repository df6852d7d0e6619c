package dns

import (
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count answers, under CoreDNS's names where it has them.
type metrics struct {
	responses *prometheus.CounterVec
	hits      prometheus.Counter
	failures  prometheus.Counter
	strangers prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredns_dns_responses_total", Help: "Number of answers, by transport and code.",
		}, []string{"proto", "rcode"}),
		hits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coredns_cache_hits_total", Help: "Number of questions answered from what other servers said before.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coracle_dns_forward_failures_total", Help: "Number of times that one of the node's resolvers did not answer.",
		}),
		strangers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coracle_dns_strangers_total", Help: "Number of questions that were not answered as they came from outside of the cluster.",
		}),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.responses, m.hits, m.failures, m.strangers}
}

func (m *metrics) answered(answer *dns.Msg, streamed bool) {
	transport := "udp"
	if streamed {
		transport = "tcp"
	}
	code, known := dns.RcodeToString[answer.Rcode]
	if !known {
		code = "other"
	}
	m.responses.WithLabelValues(transport, code).Inc()
}

package server

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// cadvisor answers with those of cAdvisor's metrics that dashboards and alerts are made of, under its names and labels. Upstream's kubelet
// has cAdvisor in it, which reads every control group at all times; this asks the runtime when it is asked.
func (s *Server) cadvisor(w http.ResponseWriter, r *http.Request) {
	seen, err := s.look(r.Context())
	if err != nil {
		klog.FromContext(r.Context()).Error(err, "Measuring what containers use")
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	classes := map[types.UID]corev1.PodQOSClass{}
	for _, p := range s.Pods.Pods() {
		classes[p.UID] = p.Status.QOSClass
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(renderCadvisor(seen, classes))) // a client that went away
}

// measured is a container, a Pod as a whole, or a Pod's interface, with cAdvisor's labels.
type measured struct {
	subject
	network *statsapi.InterfaceStats
}

// cadvisorMetrics are in the order of their names, with cAdvisor's words.
var cadvisorMetrics = []struct {
	name, kind, help string
	look             func(measured) (sample, bool)
}{
	{"container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", func(m measured) (sample, bool) { return cpuSeconds(m.subject) }},
	{"container_last_seen", "gauge", "Last time this container was seen by the exporter", lastSeen},
	{"container_memory_major_page_faults_total", "counter", "Cumulative count of major page faults.", ofMemory(func(m *statsapi.MemoryStats) *uint64 { return m.MajorPageFaults })},
	{"container_memory_page_faults_total", "counter", "Cumulative count of page faults.", ofMemory(func(m *statsapi.MemoryStats) *uint64 { return m.PageFaults })},
	{"container_memory_rss", "gauge", "Size of RSS in bytes.", ofMemory(func(m *statsapi.MemoryStats) *uint64 { return m.RSSBytes })},
	{"container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory regardless of when it was accessed", ofMemory(func(m *statsapi.MemoryStats) *uint64 { return m.UsageBytes })},
	{"container_memory_working_set_bytes", "gauge", "Current working set in bytes.", ofMemory(func(m *statsapi.MemoryStats) *uint64 { return m.WorkingSetBytes })},
	{"container_network_receive_bytes_total", "counter", "Cumulative count of bytes received", ofNetwork(func(n *statsapi.InterfaceStats) *uint64 { return n.RxBytes })},
	{"container_network_receive_errors_total", "counter", "Cumulative count of errors encountered while receiving", ofNetwork(func(n *statsapi.InterfaceStats) *uint64 { return n.RxErrors })},
	{"container_network_transmit_bytes_total", "counter", "Cumulative count of bytes transmitted", ofNetwork(func(n *statsapi.InterfaceStats) *uint64 { return n.TxBytes })},
	{"container_network_transmit_errors_total", "counter", "Cumulative count of errors encountered while transmitting", ofNetwork(func(n *statsapi.InterfaceStats) *uint64 { return n.TxErrors })},
	{"container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.", func(m measured) (sample, bool) { return startTime(m.subject) }},
}

func lastSeen(m measured) (sample, bool) {
	if m.cpu == nil {
		return sample{}, false
	}
	return sample{float64(m.cpu.Time.Unix()), &m.cpu.Time}, true
}

func ofMemory(of func(*statsapi.MemoryStats) *uint64) func(measured) (sample, bool) {
	return func(m measured) (sample, bool) {
		if m.memory == nil || of(m.memory) == nil {
			return sample{}, false
		}
		return sample{float64(*of(m.memory)), &m.memory.Time}, true
	}
}

func ofNetwork(of func(*statsapi.InterfaceStats) *uint64) func(measured) (sample, bool) {
	return func(m measured) (sample, bool) {
		if m.network == nil || of(m.network) == nil {
			return sample{}, false
		}
		return sample{value: float64(*of(m.network))}, true
	}
}

// renderCadvisor writes what was seen in Prometheus' text format. All samples of a name stand together.
func renderCadvisor(seen *look, classes map[types.UID]corev1.PodQOSClass) string {
	all := measuredOf(seen, classes)
	var b strings.Builder
	for _, m := range cadvisorMetrics {
		head := fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for _, one := range all {
			s, known := m.look(one)
			if !known {
				continue
			}
			labels := one.labels
			if m.name == "container_cpu_usage_seconds_total" {
				labels = `cpu="total",` + labels
			}
			b.WriteString(head + m.name + "{" + labels + "} " + strconv.FormatFloat(s.value, 'g', -1, 64))
			if s.at != nil {
				b.WriteString(" " + strconv.FormatInt(s.at.UnixMilli(), 10))
			}
			b.WriteString("\n")
			head = ""
		}
	}
	return b.String()
}

func measuredOf(seen *look, classes map[types.UID]corev1.PodQOSClass) (all []measured) {
	for _, stats := range seen.stats {
		p := seen.podStats(stats)
		group := groupOf(types.UID(p.PodRef.UID), classes)
		labels := func(container, id, image, name string) string {
			return fmt.Sprintf("container=%q,id=%q,image=%q,name=%q,namespace=%q,pod=%q", container, id, image, name, p.PodRef.Namespace, p.PodRef.Name)
		}
		all = append(all, measured{subject: subject{labels: labels("", group, "", ""), cpu: p.CPU, memory: p.Memory}})
		for i, c := range seen.running(stats) {
			id := c.GetAttributes().GetId()
			figures := &p.Containers[i]
			all = append(all, measured{subject: subject{
				labels: labels(figures.Name, path.Join(group, id), seen.containers[id].GetImage().GetUserSpecifiedImage(), id),
				cpu:    figures.CPU, memory: figures.Memory, started: figures.StartTime,
			}})
		}
		if p.Network == nil {
			continue
		}
		told := map[string]bool{"": true} // the default one may be among the others
		for _, i := range append([]statsapi.InterfaceStats{p.Network.InterfaceStats}, p.Network.Interfaces...) {
			if told[i.Name] {
				continue
			}
			told[i.Name] = true
			of := fmt.Sprintf("%s,interface=%q", labels("", group, "", ""), i.Name)
			all = append(all, measured{subject: subject{labels: of}, network: &i})
		}
	}
	return all
}

// groupOf is a Pod's control group, below that of all Pods.
func groupOf(pod types.UID, classes map[types.UID]corev1.PodQOSClass) string {
	class := strings.ToLower(string(classes[pod]))
	if class == "guaranteed" {
		class = ""
	}
	return path.Join("/kubepods", class, "pod"+string(pod))
}

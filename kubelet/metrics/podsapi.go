package metrics

import (
	"strings"

	"k8s.io/component-base/metrics"
)

// podsAPI are metrics of the sockets at which programs of the machine ask for Pods.
type podsAPI struct {
	dropped                 *metrics.Counter
	total, list, get, watch *metrics.CounterVec
	// resources are of the Pod Resources API: by method, requests and those that failed.
	resources                        *metrics.CounterVec
	resourceRequests, resourceErrors map[string]*metrics.CounterVec
}

func (m *Metrics) newPodsAPI() podsAPI {
	byCode := []string{"server_api_version", "status_code"}
	p := podsAPI{
		dropped:          m.count("kubelet_pod_watch_events_dropped_total", "Events that watchers of the Pods API did not get, as they were too slow."),
		total:            m.counter("kubelet_pod_requests_total", "Requests to the Pods API, by version and code.", byCode...),
		list:             m.counter("kubelet_pod_requests_list_total", "Lists asked of the Pods API, by version and code.", byCode...),
		get:              m.counter("kubelet_pod_requests_get_total", "Single Pods asked of the Pods API, by version and code.", byCode...),
		watch:            m.counter("kubelet_pod_requests_watch_total", "Watches asked of the Pods API, by version and code.", byCode...),
		resources:        m.counter("kubelet_pod_resources_endpoint_requests_total", "Requests to the Pod Resources API, by version.", "server_api_version"),
		resourceRequests: map[string]*metrics.CounterVec{}, resourceErrors: map[string]*metrics.CounterVec{},
	}
	for method, name := range map[string]string{"List": "list", "GetAllocatableResources": "get_allocatable", "Get": "get"} {
		p.resourceRequests[method] = m.counter("kubelet_pod_resources_endpoint_requests_"+name, "Calls of the Pod Resources API's "+method+", by version.", "server_api_version")
		p.resourceErrors[method] = m.counter("kubelet_pod_resources_endpoint_errors_"+name, "Calls of the Pod Resources API's "+method+" that failed, by version.", "server_api_version")
	}
	return p
}

// PodRequest counts a request to the Pods API or the Pod Resources API, as /v1alpha1.Pods/ListPods, by how it ended.
func (m *Metrics) PodRequest(method, code string) {
	if m == nil {
		return
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	version, service, _ := strings.Cut(service, ".")
	if service == "PodResourcesLister" {
		m.podsAPI.resources.WithLabelValues(version).Inc()
		if requests := m.podsAPI.resourceRequests[method]; requests != nil {
			requests.WithLabelValues(version).Inc()
		}
		if failures := m.podsAPI.resourceErrors[method]; failures != nil && code != "OK" {
			failures.WithLabelValues(version).Inc()
		}
		return
	}
	m.podsAPI.total.WithLabelValues(version, code).Inc()
	switch method {
	case "ListPods":
		m.podsAPI.list.WithLabelValues(version, code).Inc()
	case "GetPod":
		m.podsAPI.get.WithLabelValues(version, code).Inc()
	case "WatchPods":
		m.podsAPI.watch.WithLabelValues(version, code).Inc()
	}
}

// PodWatchDropped counts a change that did not reach who watches.
func (m *Metrics) PodWatchDropped() {
	if m != nil {
		m.podsAPI.dropped.Inc()
	}
}

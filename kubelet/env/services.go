package env

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// kubernetesService is the Service that every Pod sees, whatever namespace it is in.
const kubernetesService = "kubernetes"

// serviceVariables are the variables by which a Pod finds the Services that were there before it.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func serviceVariables(pod *corev1.Pod, services []*corev1.Service) map[string]string {
	vars := map[string]string{}
	links := pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks
	seen := map[string]*corev1.Service{}
	for _, s := range services {
		if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone {
			continue
		}
		switch {
		case s.Namespace == pod.Namespace && links:
			seen[s.Name] = s
		case s.Namespace == metaDefault && s.Name == kubernetesService:
			if _, own := seen[s.Name]; !own {
				seen[s.Name] = s
			}
		}
	}
	for _, s := range seen {
		addService(vars, s)
	}
	return vars
}

// metaDefault is the namespace of the kubernetes Service.
const metaDefault = "default"

func addService(vars map[string]string, s *corev1.Service) {
	name := variableName(s.Name)
	if len(s.Spec.Ports) == 0 {
		return
	}
	ip := s.Spec.ClusterIP
	vars[name+"_SERVICE_HOST"] = ip
	vars[name+"_SERVICE_PORT"] = strconv.Itoa(int(s.Spec.Ports[0].Port))
	for i, p := range s.Spec.Ports {
		port, proto := strconv.Itoa(int(p.Port)), string(corev1.ProtocolTCP)
		if p.Protocol != "" {
			proto = string(p.Protocol)
		}
		if p.Name != "" {
			vars[name+"_SERVICE_PORT_"+variableName(p.Name)] = port
		}
		url := strings.ToLower(proto) + "://" + net.JoinHostPort(ip, port)
		if i == 0 {
			vars[name+"_PORT"] = url
		}
		prefix := name + "_PORT_" + port + "_" + strings.ToUpper(proto)
		vars[prefix] = url
		vars[prefix+"_PROTO"] = strings.ToLower(proto)
		vars[prefix+"_PORT"] = port
		vars[prefix+"_ADDR"] = ip
	}
}

func variableName(s string) string {
	return strings.ToUpper(strings.ReplaceAll(s, "-", "_"))
}

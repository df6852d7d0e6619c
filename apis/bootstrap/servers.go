package bootstrap

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServersName is that of the ConfigMap in kube-system that tells which servers the cluster has, so that no node takes a server's
// place: each server has a key of its own.
const ServersName = "coracle-servers"

// Server is what belongs to a server.
type Server struct {
	// Node is the name of the node that it is, if it is one.
	Node string `json:"node,omitempty"`
	// Hosts are the names and addresses of its certificate.
	Hosts []string `json:"hosts"`
}

// Servers are all servers by their keys, which are their addresses.
type Servers map[string]Server

// ServersOf reads the data of the ConfigMap.
func ServersOf(data map[string]string) (Servers, error) {
	all := Servers{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		var s Server
		if err := json.Unmarshal([]byte(data[key]), &s); err != nil {
			return nil, fmt.Errorf("reading config map %s/%s: %s: %w", metav1.NamespaceSystem, ServersName, key, err)
		}
		all[key] = s
	}
	return all, nil
}

// ServersConfigMap is the ConfigMap with a server's own entry, and with those of others that it had before: none where there can be
// no others, and none of the same node, which had another address then.
func ServersConfigMap(before map[string]string, address string, own Server, alone bool) (*corev1.ConfigMap, error) {
	text, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("encoding server %s: %w", address, err)
	}
	data := map[string]string{}
	if !alone {
		maps.Copy(data, before)
	}
	maps.DeleteFunc(data, func(_, other string) bool {
		var s Server
		return json.Unmarshal([]byte(other), &s) != nil || s.Node != "" && s.Node == own.Node
	})
	data[strings.ReplaceAll(address, ":", "-")] = string(text) // keys have no colons
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: ServersName, Annotations: map[string]string{
			"kubernetes.io/description": "The cluster's servers: no node gets a certificate for what is theirs. Each keeps its own entry.",
		}},
		Data: data,
	}, nil
}

// Nodes are the names of the nodes that are servers.
func (s Servers) Nodes() (names []string) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if s[key].Node != "" {
			names = append(names, s[key].Node)
		}
	}
	return names
}

// Hosts are the names and addresses of all servers.
func (s Servers) Hosts() (hosts []string) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		hosts = append(hosts, s[key].Hosts...)
	}
	return hosts
}

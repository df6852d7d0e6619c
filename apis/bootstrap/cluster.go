package bootstrap

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ConfigMapName is that of the ConfigMap in kube-system that tells nodes of their cluster.
const ConfigMapName = "coracle"

// Keys of the ConfigMap.
const (
	clusterCIDR   = "clusterCIDR"
	serviceCIDR   = "serviceCIDR"
	clusterDomain = "clusterDomain"
	clusterDNS    = "clusterDNS"
	podNetwork    = "podNetwork"
	tunnelPort    = "podNetworkPort"
)

// What leads Pods' packets from node to node.
const (
	// Auto is routes between nodes on one link and tunnels between others.
	Auto = "auto"
	// VXLAN is tunnels between all.
	VXLAN = "vxlan"
)

// DefaultTunnelPort is the UDP port of the tunnels between nodes unless the cluster has another.
const DefaultTunnelPort = 8472

// Cluster is what a node must know of its cluster.
type Cluster struct {
	// PodCIDR has all Pods, ServiceCIDR all Services' addresses.
	PodCIDR, ServiceCIDR netip.Prefix
	// Domain is the suffix of DNS names, and DNS the address of cluster DNS.
	Domain string
	DNS    netip.Addr
	// PodNetwork is Auto or VXLAN.
	PodNetwork string
	// TunnelPort is the UDP port of the tunnels between nodes.
	TunnelPort int
}

// ConfigMap tells nodes of the cluster.
func (c Cluster) ConfigMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: ConfigMapName, Annotations: map[string]string{
			"kubernetes.io/description": "What nodes must know of the cluster. The server keeps it as its flags say.",
		}},
		Data: map[string]string{
			clusterCIDR: c.PodCIDR.String(), serviceCIDR: c.ServiceCIDR.String(), clusterDomain: c.Domain, clusterDNS: c.DNS.String(),
			podNetwork: c.PodNetwork, tunnelPort: strconv.Itoa(c.TunnelPort),
		},
	}
}

// ClusterOf reads the data of the ConfigMap.
func ClusterOf(data map[string]string) (c Cluster, err error) {
	var errs [3]error
	c.PodCIDR, errs[0] = netip.ParsePrefix(data[clusterCIDR])
	c.ServiceCIDR, errs[1] = netip.ParsePrefix(data[serviceCIDR])
	c.DNS, errs[2] = netip.ParseAddr(data[clusterDNS])
	if c.Domain = data[clusterDomain]; c.Domain == "" {
		err = errors.New("no " + clusterDomain)
	}
	if c.PodNetwork = cmp.Or(data[podNetwork], Auto); c.PodNetwork != Auto && c.PodNetwork != VXLAN {
		err = errors.Join(err, fmt.Errorf("%s is %q", podNetwork, c.PodNetwork))
	}
	port, portErr := strconv.ParseUint(cmp.Or(data[tunnelPort], strconv.Itoa(DefaultTunnelPort)), 10, 16)
	if c.TunnelPort = int(port); portErr != nil || port == 0 {
		err = errors.Join(err, fmt.Errorf("%s is %q", tunnelPort, data[tunnelPort]))
	}
	if err = errors.Join(errs[0], errs[1], errs[2], err); err != nil {
		return c, fmt.Errorf("reading config map %s/%s: %w", metav1.NamespaceSystem, ConfigMapName, err)
	}
	return c, nil
}

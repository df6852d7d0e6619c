package cluster

import (
	"fmt"
	"maps"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/cluster-bootstrap/token/api"
)

// info is the public ConfigMap by which machines that hold a token find and trust the cluster; a controller signs it for each token:
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#configmap-signing. Where a server starts it says where this
// server is. What an administrator writes there afterwards stays.
func (c *Cluster) info() wanted {
	told := false
	return func(data map[string]string) (*corev1.ConfigMap, error) {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespacePublic, Name: api.ConfigMapClusterInfo}, Data: maps.Clone(data)}
		if _, has := data[api.KubeConfigKey]; has && told {
			return m, nil
		}
		// As kubeadm's: no user, no context, and a cluster without a name.
		config := clientcmdapi.NewConfig()
		config.Clusters[""] = &clientcmdapi.Cluster{
			Server:                   "https://" + net.JoinHostPort(c.options.AdvertiseAddress, strconv.Itoa(c.options.HTTPSPort)),
			CertificateAuthorityData: c.keys.CA.CertPEM,
		}
		text, err := clientcmd.Write(*config)
		if err != nil {
			return nil, fmt.Errorf("encoding the kubeconfig: %w", err)
		}
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		told = m.Data[api.KubeConfigKey] == string(text) // once it is so
		m.Data[api.KubeConfigKey] = string(text)
		return m, nil
	}
}

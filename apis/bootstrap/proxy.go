package bootstrap

// Kubelets may see little of the cluster: https://kubernetes.io/docs/reference/access-authn-authz/node/. What leads packets to Services
// and Pods must know all Nodes, Services and EndpointSlices, and is somebody else therefore: an agent asks for a second certificate.
const (
	// ProxySigner signs what nodes' proxies and DNS servers prove themselves with.
	ProxySigner = "coracle.internal/node-proxy"
	// ProxyGroup is what all of them are members of.
	ProxyGroup = "coracle:node-proxies"
)

// ProxyUser is whom the requests of a node's proxy come from.
func ProxyUser(node string) string { return "coracle:node-proxy:" + node }

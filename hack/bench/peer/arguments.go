package peer

import (
	"fmt"
	"path/filepath"
)

const (
	serviceCIDR = "10.96.0.0/16"
	serviceIP   = "10.96.0.1"
	dnsIP       = "10.96.0.10"
	podCIDR     = "10.244.0.0/16"
	domain      = "cluster.local"
)

// The flags of each program: those without which it does not run, and those that kubeadm sets. Whatever costs and is not
// needed here (etcd's TLS, audit, metrics that somebody collects) is left out.

func etcdArgs(dir, address string) []string {
	client, peer := "http://"+address+":2379", "http://127.0.0.1:2380"
	return []string{
		"--name=server", "--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=http://127.0.0.1:2379," + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=server=" + peer,
	}
}

func apiserverArgs(keys, address string) []string {
	file := func(name string) string { return filepath.Join(keys, name) }
	return []string{
		"--etcd-servers=http://127.0.0.1:2379", "--advertise-address=" + address, "--service-cluster-ip-range=" + serviceCIDR,
		"--allow-privileged=true", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--enable-bootstrap-token-auth=true",
		"--client-ca-file=" + file("ca.crt"), "--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc." + domain,
		"--service-account-key-file=" + file("sa.key"), "--service-account-signing-key-file=" + file("sa.key"),
		"--kubelet-client-certificate=" + file("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + file("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"), "--proxy-client-key-file=" + file("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + file("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
	}
}

func controllerManagerArgs(keys string) []string {
	file := func(name string) string { return filepath.Join(keys, name) }
	return append(actingAs(file("controller-manager.conf")),
		"--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true",
		"--allocate-node-cidrs=true", "--cluster-cidr="+podCIDR, "--service-cluster-ip-range="+serviceCIDR,
		"--root-ca-file="+file("ca.crt"), "--cluster-signing-cert-file="+file("ca.crt"), "--cluster-signing-key-file="+file("ca.key"),
		"--service-account-private-key-file="+file("sa.key"),
	)
}

func schedulerArgs(keys string) []string { return actingAs(filepath.Join(keys, "scheduler.conf")) }

// actingAs is how the controller manager and the scheduler are told who they are.
func actingAs(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1",
	}
}

// kubeletArgs are those of a node's kubelet; one with a bootstrap configuration has its certificate made when it joins.
func kubeletArgs(n *node) []string {
	args := []string{
		"--config=" + n.file("kubelet.yaml"), "--kubeconfig=" + n.file("kubelet.conf"),
		"--hostname-override=" + n.name, "--node-ip=" + n.address.String(),
	}
	if !n.server() {
		args = append(args, "--bootstrap-kubeconfig="+n.file("bootstrap.conf"))
	}
	return args
}

func proxyArgs(n *node, keys string) []string {
	return []string{
		"--kubeconfig=" + filepath.Join(keys, "proxy.conf"), "--hostname-override=" + n.name, "--cluster-cidr=" + podCIDR, "--proxy-mode=iptables",
		"--conntrack-max-per-core=0", // it is not a namespace's to set
	}
}

// containerdConfig is containerd's defaults but for places, and for the pause image, which no registry is asked for.
func containerdConfig(dir, programs string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = "/run/containerd"
[grpc]
  address = %q
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [%q]
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    BinaryName = %q
`, filepath.Join(dir, "containerd"), filepath.Join(dir, socket), pauseImage, programs, filepath.Join(programs, "runc"))
}

// socket is where containerd serves, in a node's folder.
const socket = "containerd.sock"

// networkConfig is the network plugins' configuration on the number-th node, of which there are at most 256.
func networkConfig(number int) string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "bench", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.%d.0/24"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
`, number)
}

// kubeletConfig is kubeadm's, with the cgroup that the node has as its root, and pressure as other nodes of this machine feel it.
func kubeletConfig(dir, keys, cgroup string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %q}
authorization: {mode: Webhook}
clusterDNS: [%s]
clusterDomain: %s
rotateCertificates: true
containerRuntimeEndpoint: "unix://%s"
cgroupDriver: cgroupfs
cgroupRoot: %q
failCgroupV1: false
failSwapOn: false
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 100
`, filepath.Join(keys, "ca.crt"), dnsIP, domain, filepath.Join(dir, socket), cgroup)
}

package proxy

import (
	"bytes"
	"context"
	"os"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/conntrack"
	"github.com/coracle-k8s/coracle/proxy/service"
)

// tune makes the kernel's settings what Services need, once the rules are in place. What cannot be set, as in a container where
// /proc is read-only, is no error: all else works.
func (p *Proxy) tune(ctx context.Context, snapshot *service.Snapshot) {
	if !p.tuned {
		p.tuned = true
		if err := conntrack.Tune(); err != nil {
			klog.FromContext(ctx).Info("Settings of connection tracking stay as they are", "err", err)
		}
	}
	if portsOnNode(snapshot) {
		allowLoopback()
	}
}

func portsOnNode(snapshot *service.Snapshot) bool {
	if len(snapshot.HostPorts) > 0 {
		return true
	}
	for _, svc := range snapshot.Services {
		for i := range svc.Ports {
			if svc.Ports[i].NodePort != 0 && !svc.Foreign {
				return true
			}
		}
	}
	return false
}

// allowLoopback lets packets of local programs from 127.0.0.1 to a node port or host port go out by any link, once they have
// another destination: endpoints may be on other nodes, and local Pods behind links of any network plugin. What this would let in
// from neighbours is dropped by the rules (https://issue.k8s.io/90259).
func allowLoopback() {
	const path = "/proc/sys/net/ipv4/conf/all/route_localnet"
	if now, err := os.ReadFile(path); err == nil && !bytes.Equal(bytes.TrimSpace(now), []byte("1")) {
		_ = os.WriteFile(path, []byte("1"), 0o644)
	}
}

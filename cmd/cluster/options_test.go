package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptionsRefuseWhatCannotWork(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		want string // in the error; "" for none
	}{
		{"nothing set", Options{}, ""},
		{"every network set", Options{ClusterCIDR: "10.1.0.0/16", ServiceCIDR: "10.2.0.0/20"}, ""},
		{"port too high", Options{HTTPSPort: 70000}, "--https-port"},
		{"bind address is a name", Options{BindAddress: "localhost"}, "--bind-address"},
		{"advertised address is none", Options{AdvertiseAddress: "0.0.0.0"}, "--advertise-address"},
		{"advertised address is IPv6", Options{AdvertiseAddress: "2001:db8::1"}, "--advertise-address"},
		{"name of the server with a space", Options{TLSSANs: []string{"ok.example", "no name"}}, "--tls-san"},
		{"names of the server", Options{TLSSANs: []string{"k8s.example", "*.example", "192.0.2.9", "2001:db8::1"}}, ""},
		{"kubelet's port too high", Options{KubeletPort: 65536}, "--kubelet-port"},
		{"relative cgroup", Options{CgroupRoot: "pods"}, "--cgroup-root"},
		{"Pod network's port too high", Options{PodNetworkPort: 65536}, "--pod-network-port"},
		{"node address is a name", Options{NodeIP: "me"}, "--node-ip"},
		{"Pod network with host bits", Options{ClusterCIDR: "10.244.1.0/16"}, "--cluster-cidr"},
		{"Pod network too small", Options{ClusterCIDR: "10.244.0.0/25"}, "--cluster-cidr"},
		{"Service network too small", Options{ServiceCIDR: "10.96.0.0/29"}, "--service-cidr"},
		{"networks overlap", Options{ClusterCIDR: "10.96.0.0/12"}, "overlap"},
		{"node within the Pod network", Options{NodeIP: "10.244.3.4"}, "--node-ip"},
		{"a server without a node within a network like the Pods'", Options{NodeIP: "10.244.3.4", ControlPlaneOnly: true}, ""},
		{"node name with a space", Options{NodeName: "my node"}, "--node-name"},
		{"node name too long for a label", Options{NodeName: strings.Repeat("n", 64)}, "--node-name"},
		{"the host's name where there is no node", Options{NodeName: "my_host", ControlPlaneOnly: true}, ""},
		{"half an authority", Options{CACertFile: "ca.crt"}, "--ca-key-file"},
		{"half an authority of proxies", Options{FrontProxyCAKeyFile: "ca.key"}, "--requestheader-ca-cert-file"},
		{"domain with an underscore", Options{ClusterDomain: "my_cluster"}, "--cluster-domain"},
		{"etcd without a scheme", Options{EtcdServers: []string{"10.0.0.1:2379"}}, "--etcd-servers"},
		{"etcd files without etcd", Options{EtcdCAFile: "ca.pem"}, "--etcd-servers"},
		{"half a key pair", Options{EtcdServers: []string{"https://e:2379"}, EtcdCertFile: "c.pem"}, "--etcd-keyfile"},
		{"two ways to encrypt", Options{EncryptionKeyFile: "a", EncryptionConfigFile: "b"}, "--encryption-key-file"},
		{"nodes lost between two reports", Options{NodeMonitorGrace: 10 * time.Second}, "--node-monitor-grace-period"},
		{"no threshold", Options{EvictionHard: "nodefs.available=1Gi"}, "--eviction-hard"},
		{"pressure that ends before it begins", Options{EvictionTransition: -time.Second}, "--eviction-pressure-transition-period"},
		{"a sysctl of the whole machine", Options{UnsafeSysctls: []string{"vm.swappiness"}}, "--allowed-unsafe-sysctls"},
		{"a part that is none", Options{Disable: []string{"metrics-server", "servicelb"}}, `--disable: there is no part "servicelb"`},
		{"parts", Options{Disable: []string{"metrics-server", "local-storage"}}, ""},
		{"a relative directory of volumes", Options{LocalStorageDir: "volumes"}, "--local-storage-dir"},
		{"certificates that are over", Options{SigningDuration: -time.Hour}, "--cluster-signing-duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.o
			if o.NodeIP == "" {
				o.NodeIP = "192.0.2.7"
			}
			err := o.Complete()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("unexpected error: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error is %v, want one about %s", err, test.want)
			case err != nil && strings.Contains(err.Error(), "\n"):
				t.Errorf("error has several lines: %v", err)
			}
		})
	}
}

func TestNoSecondEncryptionKeyIsMade(t *testing.T) {
	dir := t.TempDir()
	write := func(path ...string) {
		file := filepath.Join(append([]string{dir}, path...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{DataDir: dir}
	if err := o.checkEncryptionKey(); err != nil {
		t.Errorf("fresh: %v", err)
	}
	write("etcd", "member", "snap", "db")
	if err := o.checkEncryptionKey(); err == nil || !strings.Contains(err.Error(), "encryption.key is missing") {
		t.Errorf("etcd without the key: %v", err)
	}
	given := Options{DataDir: dir, EncryptionKeyFile: "/elsewhere"}
	if err := given.checkEncryptionKey(); err != nil {
		t.Errorf("key from elsewhere: %v", err)
	}
	write("pki", "encryption.key")
	if err := o.checkEncryptionKey(); err != nil {
		t.Errorf("both there: %v", err)
	}
}

func TestCompletedOptions(t *testing.T) {
	o := Options{DataDir: "x", NodeIP: "192.0.2.7", NodeName: "n", ServiceCIDR: "10.96.0.0/16"}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(o.DataDir) {
		t.Errorf("data directory %q is relative", o.DataDir)
	}
	if told := o.facts(); told.TunnelPort != 8472 || told.PodNetwork != "auto" {
		t.Errorf("nodes are told %+v", told)
	}
	if o.AdvertiseAddress != "192.0.2.7" {
		t.Errorf("advertised address is %q, want the node's", o.AdvertiseAddress)
	}
	if got := o.DNSAddress().String(); got != "10.96.0.10" {
		t.Errorf("DNS is at %s, want the tenth address", got)
	}
}

package peer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"k8s.io/apimachinery/pkg/util/yaml"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
)

func TestProgramsAreOfModulesThatNameThem(t *testing.T) {
	root := os.DirFS(filepath.Join("..", "..", ".."))
	for _, p := range programs() {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", p.Module, "go.mod"))
		if err != nil {
			t.Error(err)
		}
		if p.Package != "." && !strings.Contains(string(content), "\t"+p.Package+"\n") && !strings.Contains(string(content), "tool "+p.Package+"\n") {
			t.Errorf("%s is no tool of %s", p.Package, p.Module)
		}
	}
	version, err := Version(root)
	if err != nil || !strings.HasPrefix(version, "v1.") {
		t.Errorf("version %q: %v", version, err)
	}
}

func TestKeyIsAnotherWhenAnythingChanges(t *testing.T) {
	root := fstest.MapFS{modules + "/coredns/main.go": {Data: []byte("package main")}}
	list := programs()
	for _, p := range list {
		root[p.Module+"/go.mod"] = &fstest.MapFile{Data: []byte("module " + p.Module)}
		root[p.Module+"/go.sum"] = &fstest.MapFile{}
	}
	keys := map[string]string{}
	check := func(what string) {
		t.Helper()
		k, err := key(root, list)
		if err != nil {
			t.Fatal(err)
		}
		if same, ok := keys[k]; ok {
			t.Errorf("%s has the key of %s", what, same)
		}
		keys[k] = what
	}
	check("what there was")
	root[release+"/go.sum"] = &fstest.MapFile{Data: []byte("more")}
	check("another sum")
	root[modules+"/coredns/main.go"] = &fstest.MapFile{Data: []byte("package main // more")}
	check("another program")
	list = slices.Clone(list)
	list[0].Tags += ",more"
	check("another tag")
}

func TestConfigurationsAreReadAsMeant(t *testing.T) {
	var kubelet kubeletconfig.KubeletConfiguration
	if err := yaml.UnmarshalStrict([]byte(kubeletConfig("/d", "/d/keys", "/root/server")), &kubelet); err != nil {
		t.Fatal(err)
	}
	if kubelet.CgroupRoot != "/root/server" || kubelet.ContainerRuntimeEndpoint != "unix:///d/containerd.sock" ||
		kubelet.Authentication.X509.ClientCAFile != "/d/keys/ca.crt" || *kubelet.FailSwapOn || kubelet.EvictionHard["nodefs.available"] != "1Gi" {
		t.Errorf("kubelet: %+v", kubelet)
	}

	var network struct {
		Plugins []struct {
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal([]byte(networkConfig(3)), &network); err != nil {
		t.Fatal(err)
	}
	if got := network.Plugins[0].IPAM.Ranges[0][0].Subnet; got != "10.244.3.0/24" {
		t.Errorf("network: %s", got)
	}
}

func TestAgentsHaveNothingButAToken(t *testing.T) {
	c := &Cluster{Config: Config{Dir: "/d", CgroupRoot: "/bench/peer"}}
	server, agent := c.newNode(0), c.newNode(1)
	if server.address.String() != "172.31.0.1" || agent.address.String() != "172.31.0.2" || agent.cgroup != "/bench/peer/agent1" {
		t.Errorf("server %+v, agent %+v", server, agent)
	}
	bootstrap := func(n *node) bool {
		return slices.ContainsFunc(kubeletArgs(n), func(a string) bool { return strings.HasPrefix(a, "--bootstrap-kubeconfig=") })
	}
	if bootstrap(server) || !bootstrap(agent) {
		t.Errorf("server: %v, agent: %v", kubeletArgs(server), kubeletArgs(agent))
	}

	dir := t.TempDir()
	server.dir = dir
	k, err := makeKeys(dir, server)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bootstrap.conf")
	if err := k.writeBootstrap(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(content); !strings.Contains(text, "token: "+tokenID+"."+tokenSecret) || strings.Contains(text, "client-key") || !strings.Contains(text, "https://172.31.0.1:6443") {
		t.Errorf("got\n%s", text)
	}
}

func TestServerRunsWithWhatWasMade(t *testing.T) {
	dir := t.TempDir()
	server := (&Cluster{}).newNode(0)
	server.dir = dir
	if _, err := makeKeys(dir, server); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(apiserverArgs(dir, "172.31.0.1"), controllerManagerArgs(dir), schedulerArgs(dir))
	files := 0
	for _, a := range args {
		_, value, _ := strings.Cut(a, "=")
		if !strings.HasPrefix(value, dir) {
			continue
		}
		files++
		if _, err := os.Stat(value); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if files < 15 {
		t.Errorf("only %d files among %q", files, args)
	}
}

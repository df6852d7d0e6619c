package host

import (
	"reflect"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/cmd/agent"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/node"
)

func TestWhatRanLastIsRemembered(t *testing.T) {
	dir := t.TempDir()
	if last, err := readSaved(dir); err != nil || !last.empty() || last.node() != nil {
		t.Errorf("nothing ran, yet %+v, %v", last, err)
	}
	ran := agent.Options{Options: node.Options{DataDir: dir, Name: "n", CgroupRoot: "/c"}, Server: "https://192.0.2.7:6443", Token: "secret"}
	if err := saveOptions(dir, agentOptions, ran); err != nil {
		t.Fatal(err)
	}
	last, err := readSaved(dir)
	if err != nil || last.what() != "agent" || !reflect.DeepEqual(*last.node(), ran.Options) {
		t.Errorf("an agent ran, yet %+v, %v", last, err)
	}
	if last.agent.Token != "" {
		t.Error("the token is on disk")
	}
	again := agent.Options{Options: node.Options{DataDir: dir}}
	if err := RememberAgent(&again); err != nil || again.Server != ran.Server || again.Name != "n" {
		t.Errorf("again as %+v, %v", again, err)
	}
	again = agent.Options{Options: node.Options{DataDir: dir, Name: "m"}, Server: "https://192.0.2.8:6443"}
	if err := RememberAgent(&again); err != nil || again.Server != "https://192.0.2.8:6443" || again.Name != "m" {
		t.Errorf("what is given is lost: %+v, %v", again, err)
	}
	if _, err := claim(dir, "server"); err == nil || !strings.Contains(err.Error(), "the state of an agent") {
		t.Errorf("a server takes an agent's directory: %v", err)
	}
	held, err := claim(dir, "agent")
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
}

func TestAControlPlaneAloneIsNoNode(t *testing.T) {
	alone := saved{server: &cluster.Options{ControlPlaneOnly: true}}
	if alone.node() != nil || alone.empty() || alone.what() != "server" {
		t.Errorf("%+v", alone)
	}
	whole := saved{server: &cluster.Options{NodeName: "n", NodeIP: "192.0.2.7"}}
	if o := whole.node(); o == nil || o.Name != "n" || o.IP != "192.0.2.7" {
		t.Errorf("node %+v", o)
	}
}

package nodes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

// foreignList is a network configuration as a user puts it into /etc/cni/net.d; foreignPlugin is what it names.
const (
	foreignList   = `{"cniVersion": "1.0.0", "name": "foreign", "plugins": [{"type": "foreign"}]}`
	foreignPlugin = `#!/bin/sh
set -e
cat >/dev/null
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}' ;;
ADD)
	n=$(($(cat /run/foreign 2>/dev/null || echo 1) + 1))
	echo $n >/run/foreign
	ip link add foreign0 type bridge 2>/dev/null && ip addr add 10.88.0.1/24 dev foreign0 && ip link set foreign0 up
	ip link add f$n type veth peer name t$n
	ip link set f$n master foreign0 up
	ip link set t$n netns $CNI_NETNS
	nsenter --net=$CNI_NETNS sh -ec "
		ip link set t$n name $CNI_IFNAME
		ip addr add 10.88.0.$n/24 dev $CNI_IFNAME
		ip link set $CNI_IFNAME up
		ip route add default via 10.88.0.1"
	echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "'$CNI_IFNAME'", "sandbox": "'$CNI_NETNS'"}],
		"ips": [{"address": "10.88.0.'$n'/24", "gateway": "10.88.0.1", "interface": 0}]}'
	;;
esac
`
)

func TestForeignNetworkConfigurationWins(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{})
	agent, err := c.AddNode()
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(agent.Folder("/etc/cni"), "net.d", "50-foreign.conflist")
	write(t, list, foreignList, 0o644)
	write(t, filepath.Join(agent.Folder("/opt/cni"), "bin", "foreign"), foreignPlugin, 0o755)
	c.again(agent)
	pod := c.run(web("there", "agent1"))[0]
	if !strings.HasPrefix(pod.Status.PodIP, "10.88.0.") {
		t.Errorf("the Pod's address is %s", pod.Status.PodIP)
	}
	if links := c.on(agent, "ip", "-o", "link"); strings.Contains(links, "coracle") {
		t.Errorf("links of ours are there:\n%s", links)
	}
	service := c.expose()
	for _, address := range []string{pod.Status.PodIP + ":8080", service.Spec.ClusterIP} {
		c.soon("the Pod answers its node at "+address, func() error {
			page, err := agent.Output(await.Command(t, "curl", "-s", "--max-time", "5", "http://"+address+"/"))
			if err == nil && !strings.Contains(page, "there version v1") {
				err = errors.New(page)
			}
			return err
		})
	}

	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	c.soon("ours is back where the foreign one is gone", func() error {
		_, err := agent.Output(await.Command(t, "test", "-e", "/etc/cni/net.d/99-coracle.conflist"))
		return err
	})
	if pod := c.run(web("late", "agent1"))[0]; !strings.HasPrefix(pod.Status.PodIP, "10.244.") {
		t.Errorf("the address of a Pod after that is %s", pod.Status.PodIP)
	}
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

package network_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/fake"
)

// start runs all machines and makes a Pod that answers on each.
func start(t *testing.T) (*lab, map[string]*pod, *fake.Clientset) {
	t.Helper()
	l := newLab(t)
	client := fake.NewClientset(l.all["a"].node(), l.all["b"].node(), l.all["c"].node())
	pods := map[string]*pod{}
	for name, m := range l.all {
		m.run(client)
		pods[name] = m.pod()
		serve(t, pods[name].ns)
	}
	for _, m := range l.all {
		m.eventuallyRoutes(t, 2)
	}
	return l, pods, client
}

// eventuallyRoutes waits until the machine has a number of routes to others' Pods.
func (m *machine) eventuallyRoutes(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has %d routes", m.name, n), func() error {
		text := output(t, m.ns, "ip route show proto 202")
		if strings.Count(text, "\n") != n {
			return errors.New(text)
		}
		return nil
	})
}

func TestPodsReachPodsOfOtherMachinesAsThemselves(t *testing.T) {
	_, pods, _ := start(t)
	for from, p := range pods {
		for to, q := range pods {
			t.Run(from+" to "+to, func(t *testing.T) {
				reaches(t, p.ns, q.address+":80", p.address)
				t.Logf("10 MB took %s", send(t, p.ns, q.address+":81", 10<<20))
				for _, size := range []int{1, 1400, 9000} {
					if got := datagram(t, p.ns, q.address+":80", size); got != fmt.Sprint(size) {
						t.Errorf("a datagram of %d bytes: %s", size, got)
					}
				}
			})
		}
	}
}

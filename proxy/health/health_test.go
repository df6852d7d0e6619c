package health

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/proxy/service"
)

func world(port int32, local ...string) *service.Snapshot {
	name := types.NamespacedName{Namespace: "ns", Name: "web"}
	s := &service.Service{NamespacedName: name, HealthCheckNodePort: port, Ports: make([]service.Port, 2)}
	for i := range s.Ports {
		for _, address := range local {
			s.Ports[i].Local = append(s.Ports[i].Local, service.Target{AddrPort: netip.AddrPortFrom(netip.MustParseAddr(address), uint16(80+i))})
		}
	}
	return &service.Snapshot{Services: map[types.NamespacedName]*service.Service{name: s}}
}

func TestAnswersByLocalEndpoints(t *testing.T) {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := int32(listener.Addr().(*net.TCPAddr).Port)
	s := New(NewRules())
	defer s.Close()
	if err := s.Set(world(port)); err == nil {
		t.Error("no error, though the port is taken")
	}
	listener.Close()
	for _, test := range []struct {
		local []string
		code  int
	}{{nil, 503}, {[]string{"10.0.0.1", "10.0.0.2"}, 200}, {nil, 503}} {
		if err := s.Set(world(port, test.local...)); err != nil {
			t.Fatal(err)
		}
		response, err := await.Client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ LocalEndpoints int }
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Error(err)
		}
		response.Body.Close()
		if response.StatusCode != test.code || answer.LocalEndpoints != len(test.local) {
			t.Errorf("%v: %d, %+v", test.local, response.StatusCode, answer)
		}
	}
	if err := s.Set(&service.Snapshot{}); err != nil {
		t.Fatal(err)
	}
	if _, err := await.Client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port)); err == nil {
		t.Error("still served after the Service is gone")
	}
}

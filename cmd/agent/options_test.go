package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/coracle-k8s/coracle/cmd/node"
)

func TestOptionsRefuseWhatCannotWork(t *testing.T) {
	named := node.Options{Name: "n", IP: "192.0.2.7"}
	for name, test := range map[string]struct {
		o    Options
		want string // in the error; the server's URL if it begins with https
	}{
		"a URL":                   {Options{Options: named, Server: "https://10.0.0.1:7443/"}, "https://10.0.0.1:7443"},
		"a URL without a port":    {Options{Options: named, Server: "https://api.example.org"}, "https://api.example.org:6443"},
		"an address of version 6": {Options{Options: named, Server: "https://[2001:db8::1]"}, "https://[2001:db8::1]:6443"},
		"no server":               {Options{Options: named}, "--server"},
		"in the clear":            {Options{Options: named, Server: "http://10.0.0.1:6443"}, "--server"},
		"an address only":         {Options{Options: named, Server: "10.0.0.1:6443"}, "--server"},
		"a path":                  {Options{Options: named, Server: "https://10.0.0.1:6443/api"}, "--server"},
		"half a token":            {Options{Options: named, Server: "https://10.0.0.1", Token: "abcdef.0123456789abcdef"}, "--token"},
		"certificates of a while": {Options{Options: named, Server: "https://10.0.0.1", CertificateLife: time.Minute}, "--certificate-life"},
		"a node without a name":   {Options{Options: node.Options{Name: "_"}, Server: "https://10.0.0.1"}, "--node-name"},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.o
			err := o.Complete()
			if strings.HasPrefix(test.want, "https") {
				if err != nil || o.Server != test.want {
					t.Errorf("server %s, %v; want %s", o.Server, err, test.want)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %s", err, test.want)
			}
		})
	}
}

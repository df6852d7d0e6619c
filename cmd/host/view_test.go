package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoContexts = `apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: a, cluster: {server: "https://a.example:6443"}}
- {name: b, cluster: {server: "https://b.example:6443"}}
contexts:
- {name: one, context: {cluster: a, user: u}}
- {name: two, context: {cluster: b, user: u, namespace: shop}}
users:
- {name: u, user: {token: t}}
`

func TestViewIsOfTheContextThatIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(twoContexts), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ context, wantContext, wantServer, wantNamespace string }{
		{"", "one", "https://a.example:6443", "default"},
		{"two", "two", "https://b.example:6443", "shop"},
	} {
		o, err := ViewOptions(file, c.context)
		if err != nil {
			t.Fatal(err)
		}
		if o.Context != c.wantContext || o.Config.Host != c.wantServer || o.Namespace != c.wantNamespace || o.Config.BearerToken != "t" {
			t.Errorf("context %q: %s, %s, %s", c.context, o.Context, o.Config.Host, o.Namespace)
		}
	}
	for name, c := range map[string][2]string{"an unknown context": {file, "three"}, "a file that is not there": {file + "x", ""}} {
		if _, err := ViewOptions(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "kubeconfig") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

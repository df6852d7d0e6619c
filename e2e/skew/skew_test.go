// Package skew tests that programs with other versions of Kubernetes' libraries than ours use a server: each is a module of its own
// in modules, which says of which version it is. What kubectl and nodes of the older minor version do is tested with upgrades, in
// e2e/nodes.
package skew

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestOldClientsWork(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs: make e2e")
	}
	p := &apitest.Process{Dir: t.TempDir(), Address: "127.0.0.1:0"}
	p.Start(t)
	t.Cleanup(p.Kill)
	for _, name := range []string{"client134"} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), name)
			build := await.Command(t, "go", "build", "-o", program, ".")
			build.Dir, build.Env = filepath.Join("modules", name), append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("building it: %v\n%s", err, out)
			}
			use := await.Command(t, program)
			use.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(p.Dir, "admin.conf"))
			out, err := use.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("using the cluster: %v", err)
			}
		})
	}
}

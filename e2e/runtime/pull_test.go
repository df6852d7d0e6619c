package runtime_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/e2e/conformance/registry"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestRegistryConfigurationOfTheDataDirectoryIsHeeded(t *testing.T) {
	nodens.Need(t)
	const name = "registry.example/group/a:1"
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, image(t, name, "x"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := httptest.NewServer(r)
	defer server.Close()

	n := start(t, newConfig(t))
	dir := filepath.Join(n.config.DataDir, "certs.d", "registry.example")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	hosts := fmt.Sprintf("server = %q\n", server.URL)
	if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := n.images.PullImage(t.Context(), &runtimeapi.ImageSpec{Image: name}, nil, nil); err != nil {
		t.Error(err)
	}
}

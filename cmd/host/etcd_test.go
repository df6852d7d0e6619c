package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/registry/storage"
)

func writeKey(t *testing.T, dataDir, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dataDir, "pki", "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"encryption.key", "sub/other.key"} {
		if err := os.WriteFile(filepath.Join(dataDir, "pki", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A stopped server's state, with its keys, is saved and becomes that of an empty machine.
func TestStoppedServersStateIsSavedAndRestored(t *testing.T) {
	from, to, path := t.TempDir(), filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "s.db")
	b, err := storage.Embedded(t.Context(), filepath.Join(from, "etcd"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client.Client.Put(t.Context(), storage.Root+"/configmaps/default/a", "value"); err != nil {
		t.Fatal(err)
	}
	b.Close()
	writeKey(t, from, "secret")
	saved, err := OpenEtcd(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := saved.Save(t.Context(), path, true); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + keysSuffix} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, info, err)
		}
	}
	if err := saved.Defragment(t.Context()); err != nil {
		t.Error(err)
	}

	restored, err := OpenEtcd(to)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := restored.Restore(t.Context(), path, true, &out); err != nil {
		t.Fatal(err)
	}
	if key, err := os.ReadFile(filepath.Join(to, "pki", "sub", "other.key")); err != nil || string(key) != "secret" {
		t.Errorf("a key: %q, %v", key, err)
	}
	out.Reset()
	if err := restored.Status(t.Context(), &out); err != nil || !strings.Contains(out.String(), "configmaps   1") {
		t.Errorf("status: %v\n%s", err, &out)
	}
	out.Reset()
	if err := restored.Restore(t.Context(), path, true, &out); err != nil || strings.Count(out.String(), "what was there before is in") != 2 {
		t.Errorf("restored over what is there: %v\n%s", err, &out)
	}
}

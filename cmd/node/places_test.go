package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAMachinesPlacesAreOneNodesAtATime(t *testing.T) {
	dir, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	refused := func(what, dataDir, why string) {
		t.Helper()
		if f, err := claim(dir, dataDir); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", what, err)
			f.Close()
		}
	}
	allowed := func(what, dataDir string) *os.File {
		t.Helper()
		f, err := claim(dir, dataDir)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return f
	}
	held := allowed("a machine that was no node", first)
	refused("while the first runs", second, "the node of "+first+" runs")
	held.Close()
	allowed("the first again", first).Close()
	allowed("the first has no Pods", second).Close()
	allowed("nor has the second", first).Close()
	if err := os.MkdirAll(filepath.Join(dir, "pods", "uid"), 0o755); err != nil {
		t.Fatal(err)
	}
	refused("the first has Pods", second, "coracle reset --data-dir "+first)
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	allowed("the first is deleted", second).Close()
}

func TestAnotherKubernetesPodsAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pods", "uid"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cpu_manager_state"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := claim(dir, t.TempDir()); err == nil {
		f.Close()
		t.Error("its directory is taken over")
	}
	if err := os.Remove(filepath.Join(dir, "cpu_manager_state")); err != nil {
		t.Fatal(err)
	}
	f, err := claim(dir, t.TempDir()) // Pods of an older Coracle
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

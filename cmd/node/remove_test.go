package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestOnlyOurPodsLogsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	p := places{filepath.Join(dir, "kubelet"), filepath.Join(dir, "logs"), filepath.Join(dir, "links")}
	for _, made := range []string{
		"kubelet/pods/ours/volumes", "logs/default_web_ours/c", "logs/default_web_theirs/c", "logs/other", "links", "data",
	} {
		if err := os.MkdirAll(filepath.Join(dir, made), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"ours.log": "default_web_ours/c/0.log", "theirs.log": "default_web_theirs/c/0.log"} {
		if err := os.Symlink(filepath.Join(p.podLogs, to), filepath.Join(p.containerLogs, link)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := p.remove(filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
		for folder, want := range map[string][]string{"kubelet": nil, "logs": {"default_web_theirs", "other"}, "links": {"theirs.log"}} {
			entries, err := os.ReadDir(filepath.Join(dir, folder))
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if !slices.Equal(left, want) {
				t.Errorf("in %s there are %q, want %q", folder, left, want)
			}
		}
	}
}

package network

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coracle-k8s/coracle/kubelet/network/attachment"
)

func TestAddressesOfLostPodsAreGivenBack(t *testing.T) {
	dir := t.TempDir()
	alive := attachment.Name("alive", "eth0")
	for name, target := range map[string]string{
		"10.244.0.2": alive, "10.244.0.3": attachment.Name("lost", "eth0"), "fd00::3": attachment.Name("lost", "eth0"),
		"last-10.244.0.0": "10.244.0.3", "10.244.0.9": "somebody else's",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]bool{attachment.HostLink(alive): true}
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"10.244.0.2", "10.244.0.3", "10.244.0.9", "fd00::3", "last-10.244.0.0"}}, // their links may be on the way
		{2 * settled, []string{"10.244.0.2", "10.244.0.9", "last-10.244.0.0"}},
		{2 * settled, []string{"10.244.0.2", "10.244.0.9", "last-10.244.0.0"}},
	} {
		if err := releaseWithout(links, dir, time.Now().Add(step.after)); err != nil {
			t.Fatal(err)
		}
		var left []string
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if !slices.Equal(left, step.want) {
			t.Errorf("after %s: %v, want %v", step.after, left, step.want)
		}
	}
	if err := releaseWithout(nil, filepath.Join(dir, "none"), time.Now()); err != nil {
		t.Errorf("without a folder: %v", err)
	}
}

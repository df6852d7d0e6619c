package conntrack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTuneRaisesAndSets(t *testing.T) {
	for _, test := range []struct {
		name       string
		processors int
		have, want []string // nf_conntrack_max, hashsize, established, close_wait
	}{
		{"a fresh kernel", 2, []string{"65536", "16384", "432000", "60"}, []string{"131072", "32768", "86400", "3600"}},
		{"many processors", 8, []string{"262144", "262144", "432000", "60"}, []string{"262144", "262144", "86400", "3600"}},
		{"more processors than are counted", 64, []string{"65536", "16384", "86400", "3600"}, []string{"1048576", "262144", "86400", "3600"}},
		{"an administrator's larger table", 2, []string{"900000", "400000", "86400", "3600"}, []string{"900000", "400000", "86400", "3600"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			paths := []string{
				"proc/sys/net/netfilter/nf_conntrack_max", "sys/module/nf_conntrack/parameters/hashsize",
				"proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait",
			}
			for i, path := range paths {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, path), []byte(test.have[i]+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := tune(root, test.processors); err != nil {
				t.Fatal(err)
			}
			for i, path := range paths {
				if got, err := os.ReadFile(filepath.Join(root, path)); strings.TrimSpace(string(got)) != test.want[i] {
					t.Errorf("%s: %s, want %s (%v)", path, got, test.want[i], err)
				}
			}
			if err := os.Remove(filepath.Join(root, paths[0])); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, paths[2]), []byte("1"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := tune(root, test.processors); err == nil {
				t.Error("no error where a setting cannot be read")
			}
			if got, _ := os.ReadFile(filepath.Join(root, paths[2])); string(got) != "86400" {
				t.Errorf("what can be set is not: %s", got)
			}
		})
	}
}

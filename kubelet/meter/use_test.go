package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestUse(t *testing.T) {
	for name, tt := range map[string]struct {
		unified bool
		files   map[string]string
		want    Use
		missing bool
	}{
		"of version 2": {
			true, map[string]string{
				"pods/cpu.stat": "usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n", "pods/memory.current": "10485760\n",
				"pods/memory.stat": "anon 5\nfile 6\ninactive_anon 7\nactive_file 8\ninactive_file 1048576\n",
			}, Use{1500 * time.Millisecond, 9 << 20}, false,
		},
		"of version 1, with those beneath it": {
			false, map[string]string{
				"cpuacct/pods/cpuacct.usage": "1500000000\n", "memory/pods/memory.usage_in_bytes": "10485760\n",
				"memory/pods/memory.stat": "inactive_file 0\nhierarchical_memory_limit 1\ntotal_inactive_file 1048576\n",
			}, Use{1500 * time.Millisecond, 9 << 20}, false,
		},
		"files read after memory may be more than it": {
			true, map[string]string{"pods/cpu.stat": "usage_usec 1\n", "pods/memory.current": "10\n", "pods/memory.stat": "inactive_file 20\n"},
			Use{time.Microsecond, 0}, false,
		},
		"that is gone":                 {true, nil, Use{}, true},
		"that is gone of version 1":    {false, nil, Use{}, true},
		"that goes while it is read":   {true, map[string]string{"pods/cpu.stat": "usage_usec 1\n"}, Use{CPU: time.Microsecond}, true},
		"without the memory hierarchy": {false, map[string]string{"cpuacct/pods/cpuacct.usage": "1\n"}, Use{CPU: 1}, true},
	} {
		dir := t.TempDir()
		for path, content := range tt.files {
			path = filepath.Join(dir, path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := (&Meter{mount: dir, unified: tt.unified}).Gauge().Use("/pods")
		if got != tt.want || errors.Is(err, fs.ErrNotExist) != tt.missing || !tt.missing && err != nil {
			t.Errorf("a cgroup %s: got %v, %v", name, got, err)
		}
	}
}

// BenchmarkUse reads real control groups, as many as a node has Pods: what a minute's reading costs.
func BenchmarkUse(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("making control groups takes root")
	}
	m := New()
	trees := []string{m.mount}
	if !m.unified {
		trees = []string{filepath.Join(m.mount, "cpuacct"), filepath.Join(m.mount, "memory")}
	}
	for _, pods := range []int{20, 100, 250} {
		b.Run(fmt.Sprint(pods), func(b *testing.B) {
			groups := make([]string, pods)
			for i := range groups {
				groups[i] = fmt.Sprintf("/coracle-bench-%d-%d", os.Getpid(), i)
				for _, tree := range trees {
					dir := filepath.Join(tree, groups[i])
					if err := os.Mkdir(dir, 0o755); err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() {
						if err := os.Remove(dir); err != nil {
							b.Error(err)
						}
					})
				}
			}
			g := m.Gauge()
			b.ReportAllocs()
			for b.Loop() {
				for _, group := range groups {
					if _, err := g.Use(group); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

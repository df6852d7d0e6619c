package kubelet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-k8s/coracle/kubelet/eviction"
)

func TestMeasuresOfTheNode(t *testing.T) {
	proc := t.TempDir()
	for name, content := range map[string]string{
		"sys/kernel/pid_max": "4194304\n", "sys/kernel/threads-max": "1000\n", "loadavg": "0.20 0.18 0.12 2/345 11206\n",
		"meminfo": "MemTotal:       2048 kB\nMemFree:  1 kB\nMemAvailable:   1024 kB\n",
	} {
		file := filepath.Join(proc, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := measurePIDs(proc); err != nil || m != (eviction.Measure{Available: 655, Total: 1000}) {
		t.Errorf("processes: %+v, %v", m, err)
	}
	if m, err := measureMemory(filepath.Join(proc, "meminfo")); err != nil || m != (eviction.Measure{Available: 1 << 20, Total: 2 << 20}) {
		t.Errorf("memory: %+v, %v", m, err)
	}
	for _, wrong := range []string{"", "0.20 0.18 0.12 2 11206\n"} {
		if err := os.WriteFile(filepath.Join(proc, "loadavg"), []byte(wrong), 0o644); err != nil {
			t.Fatal(err)
		}
		if m, err := measurePIDs(proc); err == nil {
			t.Errorf("loadavg %q is read as %+v", wrong, m)
		}
	}
	if space, _, err := measureDisk(proc); err != nil || space.Total <= 0 || space.Available > space.Total {
		t.Errorf("disk: %+v, %v", space, err)
	}
}

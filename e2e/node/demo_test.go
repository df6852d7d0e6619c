package node

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemoWorksAsTheReadmeSays runs what make demo runs, command by command, on a fresh cluster.
func TestDemoWorksAsTheReadmeSays(t *testing.T) {
	m := newMachine(t)
	m.up(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join("..", "..", "hack", "demo.sh"))
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(m.command(t.Context()).Env, "CORACLE="+m.binary, "DATA_DIR="+m.dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "The demo is complete.") {
		t.Fatalf("%v\n%s", err, out)
	}
}

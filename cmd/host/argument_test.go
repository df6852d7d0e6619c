package host

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestSecretsAreNotLeftInTheCommandLine(t *testing.T) {
	const secret = "abcdef.0123456789abcdef"
	if os.Getenv("HIDE_ARGUMENT") != "" { // in a process of its own
		HideArgument(strings.Clone(secret))
		shown, err := os.ReadFile("/proc/self/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(shown, []byte("0123456789")) || !bytes.Contains(shown, []byte("--token=")) || !bytes.Contains(shown, []byte("last")) {
			t.Errorf("others see %q", shown)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecretsAreNotLeftInTheCommandLine$", "--", "--token="+secret, "--token", secret, "last")
	cmd.Env = append(os.Environ(), "HIDE_ARGUMENT=yes")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

package suite

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// runs makes a run whose runner is a shell script with functions that write what the real one writes: passes, ends, waits.
func runs(t *testing.T, script string) *Run {
	t.Helper()
	dir := t.TempDir()
	const functions = `#!/bin/sh
calls=$(($(cat "$0.calls" 2>/dev/null || echo 0) + 1))
echo $calls > "$0.calls"
block() { printf -- '------------------------------\n• %s[1.000 seconds]\n%s [sig-a, Conformance]\n------------------------------\n' "$1" "$2"; }
passes() { block '' "$1"; }
ends() { printf 'Ran 1 of 2 Specs in 1.000 seconds\n%s -- 1 Passed | 0 Failed\n' "$1"; exit; }
waits() { trap "block '[INTERRUPTED] ' '$1'; ends 'FAIL! - Interrupted by User'" INT; echo waiting; while :; do sleep 0.01; done; }
`
	runner := filepath.Join(dir, "ginkgo")
	if err := os.WriteFile(runner, []byte(functions+script), 0o755); err != nil {
		t.Fatal(err)
	}
	results, err := OpenResults(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { results.Close() })
	return &Run{Programs: Programs{Ginkgo: runner}, Dir: filepath.Join(dir, "results"), Results: results, Procs: 2, Stall: time.Minute, Out: io.Discard}
}

// told are the tests' states in the order of their names.
func told(r *Run, tests []string) string {
	var states []string
	for _, name := range tests {
		result, _ := r.Results.Get(name)
		states = append(states, result.State)
	}
	return strings.Join(states, " ")
}

func TestRunRecordsEachTestOnce(t *testing.T) {
	tests := []string{"[sig-a] one", "[sig-a] two"}
	for name, c := range map[string]struct{ script, want string }{
		"all end":                     {`passes '[sig-a] one'; block '[FAILED] ' '[sig-a] two'; ends 'FAIL!'`, "passed failed"},
		"one skips itself":            {`passes '[sig-a] one'; ends 'SUCCESS!'`, "passed skipped"},
		"the runner dies on the way":  {`[ $calls = 2 ] || { passes '[sig-a] one'; exit 1; }; passes '[sig-a] two'; ends 'SUCCESS!'`, "passed passed"},
		"somebody else interrupts it": {`[ $calls = 2 ] || { passes '[sig-a] one'; ends 'FAIL! - Interrupted by User'; }; passes '[sig-a] two'; ends 'SUCCESS!'`, "passed passed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runs(t, c.script)
			if err := r.Tests(t.Context(), tests); err != nil {
				t.Fatal(err)
			}
			if got := told(r, tests); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestHungTestsAreGivenUpAndOthersGoOn(t *testing.T) {
	tests := []string{"[sig-a] one", "[sig-a] two"}
	r := runs(t, `[ $calls = 2 ] || waits '[sig-a] one'; passes '[sig-a] two'; ends 'SUCCESS!'`)
	r.Stall = time.Second
	if err := r.Tests(t.Context(), tests); err != nil {
		t.Fatal(err)
	}
	if got := told(r, tests); got != "hung passed" {
		t.Errorf("got %s", got)
	}
	if logs, _ := filepath.Glob(filepath.Join(r.Dir, "failed", "*")); !slices.Equal(logs, []string{filepath.Join(r.Dir, "failed", "sig-a-one.log")}) {
		t.Errorf("logs of failures: %q", logs)
	}
}

func TestStoppedRunKeepsWhatEndedAndNothingElse(t *testing.T) {
	tests := []string{"[sig-a] one", "[sig-a] two"}
	r := runs(t, `passes '[sig-a] one'; waits '[sig-a] two'`)
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.Out = writer(func(line string) {
		if strings.Contains(line, "passed") {
			cancel(stop)
		}
	})
	if err := r.Tests(ctx, tests); !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
	if got := told(r, tests); got != "passed " {
		t.Errorf("got %q", got)
	}
}

func TestRunThatMakesNoProgressEnds(t *testing.T) {
	r := runs(t, `echo the API does not answer; exit 3`)
	if err := r.Tests(t.Context(), []string{"[sig-a] one"}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("ended with %v", err)
	}
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

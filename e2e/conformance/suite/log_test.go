package suite

import (
	"slices"
	"strings"
	"testing"
)

const (
	update   = "[sig-node] ConfigMap should update [NodeConformance] [Conformance]"
	rollback = "[sig-apps] DaemonSet [Serial] should rollback without restarts [Conformance]"
	run      = "[sig-apps] DaemonSet [Serial] should run [Conformance]"
)

// sideBySide is what the runner writes of tests that run side by side: each as a whole, when it has ended.
const sideBySide = `Will run 3 of 7579 specs
Running in parallel across 3 processes
------------------------------
[SynchronizedBeforeSuite] PASSED [0.014 seconds]
[SynchronizedBeforeSuite] 
/src/e2e.go:69

  Timeline >>
  I1121 12:12:07.706014      94 e2e.go:254] kube-apiserver version: v1.36.3+coracle
  << Timeline
------------------------------
• [0.128 seconds]
[sig-node] ConfigMap should update [NodeConformance] [Conformance] [sig-node, NodeConformance, Conformance]
/src/configmap.go:150

  Timeline >>
  STEP: Creating @ 11/21/26 12:12:07.8
  << Timeline
------------------------------
------------------------------
• [FAILED] [12.500 seconds]
[sig-apps] DaemonSet [Serial] [It] should rollback without restarts [Conformance] [sig-apps, Serial, Conformance]
/src/daemon_set.go:432

  Timeline >>
  [FAILED] in [It] - /src/daemon_set.go:440 @ 11/21/26 12:12:20.1
  << Timeline

  [FAILED] expected two nodes
------------------------------
• [PANICKED!] [1.000 seconds]
TOP-LEVEL [DeferCleanup (Each)] [sig-apps] DaemonSet [Serial] should run [Conformance] [sig-apps, Serial, Conformance]
  [DeferCleanup (Each)] /src/a.go:1
------------------------------
Ran 3 of 7579 Specs in 6.354 seconds
FAIL! -- 1 Passed | 2 Failed | 0 Pending | 7576 Skipped
`

// oneByOne is what it writes of tests that are alone: the name first, as it begins, then all that happens.
const oneByOne = `------------------------------
[sig-apps] DaemonSet [Serial] should run [Conformance] [sig-apps, Serial, Conformance]
/src/daemon_set.go:177
  STEP: Creating @ 11/21/26 12:12:07.8
• [7.250 seconds]
------------------------------
[sig-apps] DaemonSet [Serial] should rollback without restarts [Conformance] [sig-apps, Serial, Conformance]
/src/daemon_set.go:432
  I1121 12:12:07.706014      94 daemon_set.go:440] [sig-node] ConfigMap is another matter
  [TIMEDOUT] in [It] - /src/daemon_set.go:440 @ 11/21/26 12:12:20.1
• [TIMEDOUT] [300.000 seconds]
[sig-apps] DaemonSet [Serial]
[It] should rollback without restarts [Conformance]
------------------------------
[sig-node] ConfigMap should update [NodeConformance] [Conformance] [sig-node, NodeConformance, Conformance]
/src/configmap.go:150
  STEP: Creating`

func TestLogTellsHowTestsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		log      string
		want     []string
		complete bool
	}{
		"side by side":           {sideBySide, []string{"passed " + update, "failed " + rollback, "panicked " + run}, true},
		"one by one and cut off": {oneByOne, []string{"passed " + run, "timedout " + rollback}, false},
		"interrupted":            {strings.Replace(sideBySide, "FAIL! --", "FAIL! - Interrupted by User --", 1), []string{"passed " + update, "failed " + rollback, "panicked " + run}, false},
		"nothing":                {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newReading([]string{update, rollback, run})
			var got []string
			l.ended = func(r Result, block string) {
				got = append(got, r.State+" "+r.Name)
				if r.Name == rollback && !strings.Contains(block, "daemon_set.go:432") {
					t.Errorf("what was logged of %s is %q", r.Name, block)
				}
			}
			if err := l.read(strings.NewReader(c.log)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) || l.complete != c.complete {
				t.Errorf("got %q, complete %t", got, l.complete)
			}
		})
	}
}

func TestLogTellsTimeAndVersion(t *testing.T) {
	l := newReading([]string{update})
	var got Result
	l.ended = func(r Result, _ string) { got = r }
	if err := l.read(strings.NewReader(sideBySide)); err != nil {
		t.Fatal(err)
	}
	if got.Seconds != 0.128 || l.version != "v1.36.3+coracle" {
		t.Errorf("%v seconds, version %q", got.Seconds, l.version)
	}
}

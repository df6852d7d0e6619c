package main

import (
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"m/a"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestReal","Output":"    node_test.go:12: needs namespaces: not root\n"}
{"Action":"skip","Package":"m/a","Test":"TestReal","Elapsed":0}
{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}
{"Action":"pass","Package":"m/a","Elapsed":0.1}
{"Action":"output","Package":"m/none","Output":"?   \tm/none\t[no test files]\n"}
{"Action":"skip","Package":"m/none"}
`

const broken = `{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:3: one is two\n"}
{"Action":"fail","Package":"m/b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"m/b","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"output","Package":"m/b","Output":"FAIL\tm/b\t2s\n"}
{"Action":"fail","Package":"m/b","Elapsed":2}
`

func TestReportSaysWhatFailedAndWhatWasSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		events  string
		demand  bool
		good    bool
		says    []string
		without string
	}{
		"good":      {events, false, true, []string{"ok  \tm/a\t0.1s\n1 packages", "1 passed, 0 failed", "1 skipped: needs namespaces: not root (m/a.TestReal)"}, "TestGood"},
		"in CI":     {events, true, false, []string{"FAIL: CI=true, and 1 tests did not find here what they need"}, "no test files"},
		"failed":    {events + broken, false, false, []string{"b_test.go:3: one is two", "panic: test timed out", "FAIL: m/b", "slowest: m/b 2 s, m/a 0 s"}, "TestGood"},
		"no events": {"go: cannot find main module\n", false, true, []string{"go: cannot find main module\n"}, "FAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := &report{out: &out, demand: c.demand}
			if err := r.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			if good := r.close(0); good != c.good {
				t.Errorf("all well: %v", good)
			}
			for _, want := range c.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), c.without) {
				t.Errorf("it says %q:\n%s", c.without, out.String())
			}
		})
	}
}

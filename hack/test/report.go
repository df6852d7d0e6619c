package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one of those that go test -json prints.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// name is what an event is of: a package or a test of it.
type name struct{ of, test string }

// report collects events and writes what people want to know.
type report struct {
	out    io.Writer
	demand bool // whether tests may not be skipped for what the machine lacks

	said           map[name][]string // by tests that have not passed
	passed, failed int
	packages       int
	failedPackages []string
	skipped        map[string][]string // tests by reason
	slow           []slow
}

type slow struct {
	of      string
	seconds float64
}

func (r *report) take(e event) {
	if r.said == nil {
		r.said, r.skipped = map[name][]string{}, map[string][]string{}
	}
	n := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.said[n] = append(r.said[n], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageEnded(e)
		} else {
			r.testEnded(n, e.Action)
		}
	}
}

func (r *report) testEnded(n name, how string) {
	switch how {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.print(n)
	case "skip":
		why := reason(r.said[n])
		r.skipped[why] = append(r.skipped[why], n.of+"."+n.test)
	}
	delete(r.said, n)
}

func (r *report) packageEnded(e event) {
	own := name{of: e.Package}
	if e.Action == "skip" { // no tests
		delete(r.said, own)
		return
	}
	r.packages++
	r.slow = append(r.slow, slow{e.Package, e.Elapsed})
	if e.Action == "fail" {
		r.failedPackages = append(r.failedPackages, e.Package)
		for n := range r.said { // what did not even end: it panicked, or its time was up
			if n.of == e.Package && n.test != "" {
				r.print(n)
				delete(r.said, n)
			}
		}
		r.print(own)
	} else {
		for _, line := range r.said[own] {
			if strings.HasPrefix(line, "ok ") {
				fmt.Fprint(r.out, line)
			}
		}
	}
	delete(r.said, own)
}

func (r *report) print(n name) {
	for _, line := range r.said[n] {
		fmt.Fprint(r.out, line)
	}
}

var place = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+: `)

// reason is what a skipped test said.
func reason(said []string) string {
	for _, line := range said {
		if at := place.FindString(line); at != "" {
			return strings.TrimSpace(line[len(at):])
		}
	}
	return "it does not say why"
}

// close writes the summary and returns whether all is well.
func (r *report) close(took time.Duration) bool {
	slices.SortFunc(r.slow, func(a, b slow) int { return int(1000*b.seconds) - int(1000*a.seconds) })
	var slowest []string
	for _, s := range r.slow[:min(5, len(r.slow))] {
		slowest = append(slowest, fmt.Sprintf("%s %.0f s", s.of[strings.LastIndex(s.of, "coracle/")+1:], s.seconds))
	}
	fmt.Fprintf(r.out, "%d packages in %s; tests: %d passed, %d failed; slowest: %s\n", r.packages, took.Round(time.Second), r.passed, r.failed, strings.Join(slowest, ", "))
	lacking := 0
	for _, why := range slices.Sorted(maps.Keys(r.skipped)) {
		tests := r.skipped[why]
		fmt.Fprintf(r.out, "%d skipped: %s (%s%s)\n", len(tests), why, tests[0], map[bool]string{true: ", ..."}[len(tests) > 1])
		if strings.HasPrefix(why, "needs ") {
			lacking += len(tests)
		}
	}
	if r.demand && lacking > 0 {
		fmt.Fprintf(r.out, "FAIL: CI=true, and %d tests did not find here what they need\n", lacking)
	}
	for _, p := range r.failedPackages {
		fmt.Fprintln(r.out, "FAIL:", p)
	}
	return len(r.failedPackages) == 0 && (!r.demand || lacking == 0)
}

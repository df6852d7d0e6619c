package suite

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table renders a line for each SIG and one for all, then how many were not run and the names of those that failed.
func Table(tests []string, get func(name string) (Result, bool)) string {
	type count struct{ passed, failed, total int }
	counts := map[string]*count{}
	var all count
	var failed []string
	missing := 0
	versions := map[string]int{}
	for _, name := range tests {
		sig := SIG(name)
		if counts[sig] == nil {
			counts[sig] = &count{}
		}
		c := counts[sig]
		c.total++
		all.total++
		r, ok := get(name)
		if ok {
			versions[r.Version]++
		}
		switch {
		case !ok:
			missing++
		case r.Passed():
			c.passed++
			all.passed++
		default:
			c.failed++
			all.failed++
			failed = append(failed, fmt.Sprintf("%s (%s)", name, r.State))
		}
	}
	var b strings.Builder
	line := func(name string, c count) {
		fmt.Fprintf(&b, "%-24s %6d %6d %6d\n", name, c.passed, c.failed, c.total)
	}
	fmt.Fprintf(&b, "%-24s %6s %6s %6s\n", "", "passed", "failed", "total")
	for _, sig := range slices.Sorted(maps.Keys(counts)) {
		line(sig, *counts[sig])
	}
	line("all", all)
	if len(versions) > 0 {
		b.WriteString("\n")
	}
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "%d tests of %s\n", versions[v], v)
	}
	if missing > 0 {
		fmt.Fprintf(&b, "\nnot run: %d\n", missing)
	}
	if len(failed) > 0 {
		b.WriteString("\nfailed:\n")
	}
	slices.Sort(failed)
	for _, name := range failed {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	return b.String()
}

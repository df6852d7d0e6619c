package suite

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Batch is a set of tests that one call of the suite runs.
type Batch struct {
	// Name is made of what distinguishes the batch, fit for a folder's name.
	Name  string
	Tests []string
	// Procs is the number of tests that run side by side.
	Procs int
}

// Plan cuts tests into batches in their order: those that may run side by side, then those that must be alone. SIG by SIG,
// a run that is cut off has whole answers early; together, tests that only wait overlap with all others.
func Plan(tests []string, procs int, bySIG bool) []Batch {
	groups := map[string][]string{}
	for _, t := range tests {
		key := "1 all"
		if bySIG {
			key = "1 " + SIG(t)
		}
		if Alone(t) {
			key = "2 alone"
		}
		groups[key] = append(groups[key], t)
	}
	var batches []Batch
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		b := Batch{Name: key[2:], Procs: procs}
		if b.Name == "alone" {
			b.Procs = 1
		}
		parts := cut(groups[key], maxFocus)
		for i, part := range parts {
			b := b
			b.Tests, b.Procs = part, min(b.Procs, len(part))
			if len(parts) > 1 {
				b.Name = fmt.Sprintf("%s-%d", b.Name, i+1)
			}
			batches = append(batches, b)
		}
	}
	return batches
}

// maxFocus keeps the expression that names a batch's tests below the kernel's limit of one argument, 128 KiB.
const maxFocus = 100 << 10

// cut splits tests where their expression would grow beyond limit bytes.
func cut(tests []string, limit int) [][]string {
	var parts [][]string
	size := limit
	for _, t := range tests {
		length := len(regexp.QuoteMeta(t)) + 1
		if size+length > limit {
			parts, size = append(parts, nil), 0
		}
		size += length
		parts[len(parts)-1] = append(parts[len(parts)-1], t)
	}
	return parts
}

// focus is the expression that selects exactly these tests.
func focus(description string, tests []string) string {
	quoted := make([]string, len(tests))
	for i, t := range tests {
		quoted[i] = regexp.QuoteMeta(t)
	}
	slices.Sort(quoted) // neighbours share prefixes, which the expression's compiler factors out
	return "^" + regexp.QuoteMeta(description+" ") + "(?:" + strings.Join(quoted, "|") + ")$"
}

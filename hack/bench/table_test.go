package main

import (
	"strings"
	"testing"
	"time"
)

func TestTableHasADashWhereNothingWasMeasured(t *testing.T) {
	table := table{columns: []string{"Coracle", "Kubernetes"}}
	table.set("size", "Coracle", "1 MB")
	table.set("time", "Coracle", "1s")
	table.set("size", "Kubernetes", "100.5 MB")
	table.set("of Kubernetes alone", "Kubernetes", "µs")
	var b strings.Builder
	if err := table.write(&b); err != nil {
		t.Fatal(err)
	}
	want := `
| figure              | Coracle | Kubernetes |
|---------------------|---------|------------|
| size                | 1 MB    | 100.5 MB   |
| time                | 1s      | -          |
| of Kubernetes alone | -       | µs         |
`
	if got := "\n" + b.String(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestMedianTellsTheExtremes(t *testing.T) {
	var all []time.Duration
	for _, ms := range []time.Duration{30, 10, 1204, 20, 40} {
		all = append(all, ms*time.Millisecond+300*time.Microsecond)
	}
	if got := median(all); got != "30ms (10ms to 1.204s)" {
		t.Errorf("got %s", got)
	}
}

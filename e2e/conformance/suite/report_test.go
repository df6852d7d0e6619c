package suite

import "testing"

func TestTableCountsBySIG(t *testing.T) {
	results := map[string]Result{
		"[sig-b] one":   {State: "passed", Version: "v1"},
		"[sig-a] two":   {State: "hung", Version: "v1"},
		"[sig-b] three": {State: "passed", Version: "v2"},
	}
	got := Table([]string{"[sig-b] one", "[sig-a] two", "[sig-b] three", "[sig-b] four"}, func(name string) (Result, bool) {
		r, ok := results[name]
		return r, ok
	})
	const want = `                         passed failed  total
sig-a                         0      1      1
sig-b                         2      0      3
all                           2      1      4

2 tests of v1
1 tests of v2

not run: 1

failed:
  [sig-a] two (hung)
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

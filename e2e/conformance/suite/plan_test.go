package suite

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPlanKeepsApartWhatMustBeAlone(t *testing.T) {
	tests := []string{"[sig-a] one", "[sig-b] two [Serial]", "[sig-b] three", "[sig-a] four [Disruptive]", "[sig-a] five"}
	for name, c := range map[string]struct {
		bySIG bool
		want  string
	}{
		"together":   {false, "all 3 procs: [sig-a] one, [sig-b] three, [sig-a] five; alone 1 procs: [sig-b] two [Serial], [sig-a] four [Disruptive]"},
		"SIG by SIG": {true, "sig-a 2 procs: [sig-a] one, [sig-a] five; sig-b 1 procs: [sig-b] three; alone 1 procs: [sig-b] two [Serial], [sig-a] four [Disruptive]"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, b := range Plan(tests, 6, c.bySIG) {
				got = append(got, b.Name+" "+string(rune('0'+b.Procs))+" procs: "+strings.Join(b.Tests, ", "))
			}
			if got := strings.Join(got, "; "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestCutKeepsAllTestsAndTheLimit(t *testing.T) {
	tests := []string{"aaaa", "bbbb", "cccc", "dd", "eeeeeeeeeeeeeeeee"}
	parts := cut(tests, 10)
	if got := slices.Concat(parts...); !slices.Equal(got, tests) {
		t.Errorf("got %q", got)
	}
	if len(parts) != 3 {
		t.Errorf("%d parts: %q", len(parts), parts)
	}
}

func TestFocusSelectsExactlyTheTests(t *testing.T) {
	f := regexp.MustCompile(focus("The suite", []string{"[a] does (b)", "[a] does"}))
	for text, want := range map[string]bool{
		"The suite [a] does": true, "The suite [a] does (b)": true, "The suite [a] does (b) and c": false,
		"The suite a does": false, "Another [a] does": false,
	} {
		if f.MatchString(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

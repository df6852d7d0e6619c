package main

import (
	"slices"
	"testing"

	"github.com/coracle-k8s/coracle/e2e/conformance/suite"
)

func TestFinishedRunStartsAgainAndACutOffOneGoesOn(t *testing.T) {
	all := []string{"a", "b"}
	done := map[string]suite.Result{"a": {State: "passed"}, "b": {State: "failed"}}
	half := map[string]suite.Result{"b": {State: "failed"}}
	for name, c := range map[string]struct {
		rerun   string
		results map[string]suite.Result
		want    []string
	}{
		"first":                {"", nil, nil},
		"cut off":              {"", half, nil},
		"finished":             {"", done, all},
		"failed of a finished": {"failed", done, []string{"b"}},
		"failed of a cut off":  {"failed", half, []string{"b"}},
		"all of a cut off":     {"all", half, all},
	} {
		t.Run(name, func(t *testing.T) {
			got := again(c.rerun, all, func(name string) (suite.Result, bool) {
				r, ok := c.results[name]
				return r, ok
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("forgets %q, want %q", got, c.want)
			}
		})
	}
}

func TestFocusAndSkipSelect(t *testing.T) {
	o, err := parse([]string{"-focus", "sig-a|sig-b", "-skip", "Serial", "-kubeconfig", "", "-cache", "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := o.selected([]string{"[sig-a] x", "[sig-b] y [Serial]", "[sig-c] z"}); !slices.Equal(got, []string{"[sig-a] x"}) {
		t.Errorf("selected %q", got)
	}
	if o, err = parse(nil); err != nil {
		t.Fatal(err)
	}
	if all := []string{"a", ""}; !slices.Equal(o.selected(all), all) {
		t.Error("without focus and skip not all are selected")
	}
	if _, err := parse([]string{"-rerun", "some"}); err == nil {
		t.Error("a wrong rerun is accepted")
	}
	if _, err := parse([]string{"-focus", "("}); err == nil {
		t.Error("a wrong expression is accepted")
	}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	if got, err := o.selected([]string{"[sig-a] x", "[sig-b] y [Serial]", "[sig-c] z"}); err != nil || !slices.Equal(got, []string{"[sig-a] x"}) {
		t.Errorf("selected %q, %v", got, err)
	}
	if got, err := o.selected([]string{"[sig-c] z"}); err == nil {
		t.Errorf("selected %q, where nothing matches", got)
	}
	if o, err = parse(nil); err != nil {
		t.Fatal(err)
	}
	all := []string{"a", ""}
	if got, err := o.selected(all); err != nil || !slices.Equal(got, all) {
		t.Errorf("without focus and skip %q are selected, %v", got, err)
	}
	if _, err := parse([]string{"-rerun", "some"}); err == nil {
		t.Error("a wrong rerun is accepted")
	}
	if _, err := parse([]string{"-focus", "("}); err == nil {
		t.Error("a wrong expression is accepted")
	}
}

func TestAListSelectsByPartsOfNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("# why\n\nPrivilegedPod\nshould sign\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{"-tests", file, "-skip", "Windows"})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"PrivilegedPod one", "PrivilegedPod [Windows]", "it should sign", "another"}
	if got, err := o.selected(names); err != nil || !slices.Equal(got, []string{"PrivilegedPod one", "it should sign"}) {
		t.Errorf("selected %q, %v", got, err)
	}
	if got, err := o.selected(names[:1]); err == nil || !strings.Contains(err.Error(), "should sign") {
		t.Errorf("selected %q, %v: one line of the list is of no test", got, err)
	}
}

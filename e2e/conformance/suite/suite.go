// Package suite runs the upstream conformance suite, unchanged, against any cluster and keeps a result of each test.
package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Programs are the suite's executables.
type Programs struct {
	// Test is e2e.test; Ginkgo its parallel runner; Kubectl what the tests of the command line call.
	Test, Ginkgo, Kubectl string
}

// Catalogue is what a suite contains.
type Catalogue struct {
	// Description is the suite's own name, with which the texts that its filters see begin.
	Description string
	// Names are the tests' full names, sorted.
	Names []string
}

// List asks the suite for its conformance tests, or for all that it has, without a cluster, and keeps the answer beside the program.
func List(p Programs, all bool) (Catalogue, error) {
	kept, focus := p.Test+".list.json", `\[Conformance\]`
	if all {
		kept, focus = p.Test+".all.json", ""
	}
	var c Catalogue
	if content, err := os.ReadFile(kept); err == nil && json.Unmarshal(content, &c) == nil && len(c.Names) > 0 {
		return c, nil
	}
	dir, err := os.MkdirTemp("", "conformance-")
	if err != nil {
		return Catalogue{}, err
	}
	defer os.RemoveAll(dir)
	report := filepath.Join(dir, "report.json")
	cmd := exec.Command(p.Test, "--ginkgo.dry-run", "--ginkgo.silence-skips", "--ginkgo.focus="+focus,
		"--ginkgo.json-report="+report, "--kubeconfig="+filepath.Join(dir, "none"), "--provider=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Catalogue{}, fmt.Errorf("listing the tests of %s: %w\n%s", p.Test, err, lastLines(out, 5))
	}
	content, err := os.ReadFile(report)
	if err != nil {
		return Catalogue{}, err
	}
	if c, err = parseReport(content); err != nil {
		return Catalogue{}, fmt.Errorf("reading the list of tests: %w", err)
	}
	if content, err = json.Marshal(c); err != nil {
		return Catalogue{}, err
	}
	return c, os.WriteFile(kept, content, 0o644)
}

// parseReport takes the names out of the report of a dry run, in which a test that was selected has passed.
func parseReport(content []byte) (Catalogue, error) {
	var reports []struct {
		SuiteDescription string
		SpecReports      []struct {
			ContainerHierarchyTexts []string
			LeafNodeType            string
			LeafNodeText            string
			State                   string
		}
	}
	if err := json.Unmarshal(content, &reports); err != nil {
		return Catalogue{}, err
	}
	if len(reports) != 1 {
		return Catalogue{}, fmt.Errorf("%d suites instead of one", len(reports))
	}
	c := Catalogue{Description: reports[0].SuiteDescription}
	for _, s := range reports[0].SpecReports {
		if s.LeafNodeType == "It" && s.State == "passed" {
			c.Names = append(c.Names, strings.Join(append(s.ContainerHierarchyTexts, s.LeafNodeText), " "))
		}
	}
	if len(c.Names) == 0 {
		return Catalogue{}, errors.New("no test is selected")
	}
	slices.Sort(c.Names)
	return c, nil
}

// SIG is the special interest group that a test's name begins with, such as sig-node.
func SIG(name string) string {
	if rest, ok := strings.CutPrefix(name, "["); ok {
		if sig, _, ok := strings.Cut(rest, "]"); ok {
			return sig
		}
	}
	return "other"
}

// Alone says whether a test must have the cluster to itself.
func Alone(name string) bool {
	return strings.Contains(name, "[Serial]") || strings.Contains(name, "[Disruptive]")
}

func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

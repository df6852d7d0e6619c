// Command generate writes the folder generated: run it from the module's root. A second run changes nothing.
//
// OpenAPI documents are made in two stages. openapi-gen describes the API's types as Go code; a program with that code
// starts a server, to see its URLs, and writes the documents. The Go code is large and not kept: the server needs it not.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

const (
	definitions = "hack/generate/definitions"
	documents   = "generated/openapi"
)

func main() { os.Exit(run()) }

func run() int {
	if err := placeholder(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	steps := [][]string{
		append([]string{
			"go", "tool", "openapi-gen", "--output-dir", definitions, "--output-pkg", "github.com/coracle-k8s/coracle/" + definitions,
			"--output-file", "zz_generated.go", "--report-filename", os.DevNull, "--go-header-file", os.DevNull,
		}, typePackages()...),
		{"go", "run", "-tags", "definitions", "./hack/generate/documents", documents},
	}
	for _, step := range steps {
		c := exec.Command(step[0], step[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "running %v: %v\n", step[:3], err)
			return 1
		}
	}
	return 0
}

// placeholder lets the second stage be compiled when there are no documents: it imports, by the way, those who embed them.
func placeholder() error {
	if _, err := os.Stat(documents + "/documents"); err == nil {
		return nil
	}
	if err := os.MkdirAll(documents+"/documents", 0o755); err != nil {
		return fmt.Errorf("making the folder of documents: %w", err)
	}
	return os.WriteFile(documents+"/documents/hashes.json", []byte("{}"), 0o644)
}

// typePackages are those of the types that are served.
func typePackages() []string {
	packages := []string{
		"k8s.io/apimachinery/pkg/api/resource",
		"k8s.io/apimachinery/pkg/apis/meta/v1",
		"k8s.io/apimachinery/pkg/runtime",
		"k8s.io/apimachinery/pkg/util/intstr",
		"k8s.io/apimachinery/pkg/version",
		"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
		"k8s.io/kube-aggregator/pkg/apis/apiregistration/v1",
		"k8s.io/metrics/pkg/apis/metrics/v1",
		"k8s.io/metrics/pkg/apis/metrics/v1beta1",
	}
	for _, gv := range []string{
		"admissionregistration/v1", "apps/v1", "authentication/v1", "authorization/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1",
		"certificates/v1", "coordination/v1", "core/v1", "discovery/v1", "events/v1", "flowcontrol/v1", "networking/v1", "node/v1",
		"policy/v1", "rbac/v1", "resource/v1", "scheduling/v1", "scheduling/v1alpha3", "storage/v1", "storagemigration/v1",
	} {
		packages = append(packages, "k8s.io/api/"+gv)
	}
	return packages
}

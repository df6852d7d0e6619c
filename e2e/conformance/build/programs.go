// Package build makes the upstream conformance suite and its images from source and keeps them in a folder.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Modules is the folder of the modules that say of which version everything is: one for each origin, as they must not lift
// one another's dependencies, and none of them the product's.
const Modules = "e2e/conformance/modules"

// program is a Go program of a module in Modules.
type program struct {
	name, module, pkg string
	// test makes it the package's test binary.
	test bool
}

const kubernetes = "k8s.io/kubernetes"

// programs are the suite's own and those in its images.
var programs = []program{
	{name: "kubectl", module: "suite", pkg: kubernetes + "/cmd/kubectl"},
	{name: "ginkgo", module: "suite", pkg: "github.com/onsi/ginkgo/v2/ginkgo"},
	{name: "e2e.test", module: "suite", pkg: kubernetes + "/test/e2e", test: true},
	{name: "agnhost", module: "suite", pkg: kubernetes + "/test/images/agnhost"},
	{name: "regression-issue-74839", module: "suite", pkg: kubernetes + "/test/images/regression-issue-74839"},
	{name: "nnp", module: "suite", pkg: kubernetes + "/test/images/nonewprivs"},
	{name: "sample-apiserver", module: "apiserver", pkg: "k8s.io/sample-apiserver"},
	{name: "etcd", module: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
}

// Programs builds the programs that the cache does not hold yet and returns the folder they are in, one for each state of
// the modules. Progress is told on out.
func Programs(ctx context.Context, cache string, out io.Writer) (string, error) {
	key, err := sum(os.DirFS(Modules), []string{"suite/go.mod", "suite/go.sum", "apiserver/go.mod", "apiserver/go.sum", "etcd/go.mod", "etcd/go.sum"}, "")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "programs-"+key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, p := range programs {
		path := filepath.Join(dir, p.name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := p.build(ctx, path, out); err != nil {
			return "", fmt.Errorf("building %s: %w", p.name, err)
		}
	}
	return dir, nil
}

// build writes the program to path, whole or not at all.
func (p program) build(ctx context.Context, path string, out io.Writer) error {
	version, err := moduleFact(ctx, "suite", kubernetes, "{{.Version}}")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "building %s\n", p.name)
	began := time.Now()
	verb := []string{"build"}
	if p.test {
		verb = []string{"test", "-c"}
	}
	const stamp = "k8s.io/component-base/version.git"
	ldflags := fmt.Sprintf("-s -w -X %sVersion=%s -X %sMajor=1 -X %sMinor=36 -X k8s.io/client-go/pkg/version.gitVersion=%s", stamp, version, stamp, stamp, version)
	cmd := exec.CommandContext(ctx, "go", append(verb, "-ldflags", ldflags, "-o", path+".new", p.pkg)...)
	cmd.Dir = filepath.Join(Modules, p.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	fmt.Fprintf(out, "  %.0f s\n", time.Since(began).Seconds())
	return os.Rename(path+".new", path)
}

// moduleFact asks the go command for a fact on a module that one of Modules requires.
func moduleFact(ctx context.Context, module, path, format string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", format, path)
	cmd.Dir = filepath.Join(Modules, module)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("asking for %s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// sum is a short hash of files and a word.
func sum(files fs.FS, names []string, word string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, word)
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(content))
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

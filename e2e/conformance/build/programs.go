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

// Program is a Go program that is built from a module which says of which version it is.
type Program struct {
	// Name is the file name that it gets.
	Name string
	// Module is the folder of the module, from the repository's root.
	Module string
	// Package is what is built; with Test its test binary.
	Package string
	Test    bool
	// Cgo links C, too.
	Cgo bool
	// Tags are build tags, separated by commas; Flags are further flags of the linker.
	Tags, Flags string
}

const kubernetes = "k8s.io/kubernetes"

// suiteModule is the module of the suite itself.
const suiteModule = Modules + "/suite"

// programs are the suite's own and those in its images.
var programs = []Program{
	{Name: "kubectl", Module: suiteModule, Package: kubernetes + "/cmd/kubectl"},
	{Name: "ginkgo", Module: suiteModule, Package: "github.com/onsi/ginkgo/v2/ginkgo"},
	{Name: "e2e.test", Module: suiteModule, Package: kubernetes + "/test/e2e", Test: true},
	{Name: "agnhost", Module: suiteModule, Package: kubernetes + "/test/images/agnhost"},
	{Name: "regression-issue-74839", Module: suiteModule, Package: kubernetes + "/test/images/regression-issue-74839"},
	{Name: "nnp", Module: suiteModule, Package: kubernetes + "/test/images/nonewprivs"},
	{Name: "sample-apiserver", Module: Modules + "/apiserver", Package: "k8s.io/sample-apiserver"},
	{Name: "etcd", Module: Modules + "/etcd", Package: "go.etcd.io/etcd/server/v3"},
}

// Programs builds the programs that the cache does not hold yet and returns the folder they are in, one for each state of
// the modules. Progress is told on out.
func Programs(ctx context.Context, cache string, out io.Writer) (string, error) {
	key, err := Sum(os.DirFS(Modules), []string{"suite/go.mod", "suite/go.sum", "apiserver/go.mod", "apiserver/go.sum", "etcd/go.mod", "etcd/go.sum"}, "")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "programs-"+key)
	if missing := Missing(dir, programs); len(missing) > 0 {
		flags, err := VersionFlags(ctx, suiteModule)
		if err != nil {
			return "", err
		}
		for i := range missing {
			missing[i].Flags = flags
		}
		if err := Build(ctx, dir, missing, out); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// Missing are those of the programs that a folder does not hold.
func Missing(dir string, programs []Program) []Program {
	var missing []Program
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(dir, p.Name)); err != nil {
			missing = append(missing, p)
		}
	}
	return missing
}

// Build builds programs into a folder, given by its absolute path, which it makes if need be: each whole or not at all, so that Missing tells what
// there still is to do when it was interrupted. Progress is told on out.
func Build(ctx context.Context, dir string, programs []Program, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range programs {
		if err := p.build(ctx, filepath.Join(dir, p.Name), out); err != nil {
			return fmt.Errorf("building %s: %w", p.Name, err)
		}
	}
	return nil
}

// VersionFlags are the linker's flags by which Kubernetes' programs know which release they are: that which a module asks for.
func VersionFlags(ctx context.Context, module string) (string, error) {
	version, err := ModuleFact(ctx, module, kubernetes, "{{.Version}}")
	if err != nil {
		return "", err
	}
	var minor int
	if _, err := fmt.Sscanf(version, "v1.%d.", &minor); err != nil {
		return "", fmt.Errorf("reading the version %q: %w", version, err)
	}
	const stamp = "k8s.io/component-base/version.git"
	return fmt.Sprintf("-X %sVersion=%s -X %sMajor=1 -X %sMinor=%d -X k8s.io/client-go/pkg/version.gitVersion=%s", stamp, version, stamp, stamp, minor, version), nil
}

// build writes the program to path, which is absolute.
func (p Program) build(ctx context.Context, path string, out io.Writer) error {
	fmt.Fprintf(out, "building %s\n", p.Name)
	began := time.Now()
	verb := []string{"build"}
	if p.Test {
		verb = []string{"test", "-c"}
	}
	cgo := "CGO_ENABLED=0"
	if p.Cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", append(verb, "-tags", p.Tags, "-ldflags", strings.TrimSpace("-s -w "+p.Flags), "-o", path+".new", p.Package)...)
	cmd.Dir = p.Module
	cmd.Env = append(os.Environ(), cgo, "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	fmt.Fprintf(out, "  %.0f s\n", time.Since(began).Seconds())
	return os.Rename(path+".new", path)
}

// ModuleFact asks the go command for a fact (a template as of go list -m) on a module that the one in a folder requires.
func ModuleFact(ctx context.Context, module, path, format string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", format, path)
	cmd.Dir = module
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

// Sum is a short hash of files and a word.
func Sum(files fs.FS, names []string, word string) (string, error) {
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

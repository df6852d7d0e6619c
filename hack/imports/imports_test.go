// Package imports checks that imports point one way through the house.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/coracle-k8s/coracle/"

// allowed lists, for each top-level folder, those that it may import besides itself. All tests may import await.
var allowed = map[string][]string{
	"await":       {},
	"apis":        {},
	"guard":       {},
	"streaming":   {"guard"},
	"generated":   {"apis"},
	"informers":   {"guard"},
	"registry":    {"generated", "apis", "guard", "streaming", "informers"},
	"controllers": {"generated", "apis", "guard"},
	"kubelet":     {"generated", "apis", "guard", "streaming"},
	"proxy":       {"generated", "apis", "guard"},
	"view":        {"guard"},
	"cmd":         {"view", "registry", "controllers", "kubelet", "proxy", "generated", "apis", "guard", "streaming", "informers"},
	"e2e":         {"view", "cmd", "registry", "controllers", "kubelet", "proxy", "generated", "apis", "guard", "streaming"},
	"hack":        {"e2e", "cmd", "registry", "controllers", "kubelet", "proxy", "generated", "apis", "guard", "streaming"},
	"demo":        {},
}

func TestImportsPointOneWay(t *testing.T) {
	forEachImport(t, func(file, path string) {
		from, _, _ := strings.Cut(file, "/")
		rest, ours := strings.CutPrefix(path, module)
		if !ours {
			return
		}
		to, _, _ := strings.Cut(rest, "/")
		if to == from || to == "await" && (from == "e2e" || strings.HasSuffix(file, "_test.go")) {
			return
		}
		for _, a := range allowed[from] {
			if a == to {
				return
			}
		}
		t.Errorf("%s imports %s: %s may import %v", file, path, from, allowed[from])
	})
}

func TestNoDistributionIsImported(t *testing.T) {
	forEachImport(t, func(file, path string) {
		for _, distribution := range []string{"k8s.io/kubernetes", "github.com/k3s-io", "github.com/k0sproject"} {
			if path == distribution || strings.HasPrefix(path, distribution+"/") {
				t.Errorf("%s imports %s", file, path)
			}
		}
	})
}

func TestPluginBinaryStaysSmall(t *testing.T) {
	forEachImport(t, func(file, path string) {
		if strings.HasPrefix(file, "cmd/coracle-net/") && strings.HasPrefix(path, "k8s.io/") {
			t.Errorf("%s imports %s: the network plugin is executed for every Pod", file, path)
		}
	})
}

// forEachImport calls f with every import of every Go file of the main module.
func forEachImport(t *testing.T, f func(file, path string)) {
	t.Helper()
	root, files := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		switch {
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || isModule(path)):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(name), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("only %d files found: is this the repository?", files)
	}
}

// isModule tells a folder with a go.mod of its own.
func isModule(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "go.mod"))
	return len(found) > 0
}

// Package guarded checks that no goroutine of the process can end it by a panic: all are started by package guard.
package guarded

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checked are the folders of which the process is made.
var checked = []string{"apis", "cmd", "controllers", "generated", "kubelet", "proxy", "registry", "streaming"}

func TestGoroutinesAreGuarded(t *testing.T) {
	for _, top := range checked {
		for _, f := range found(t, filepath.Join("..", "..", top)) {
			t.Errorf("%s:%d: %s: a panic there ends the process; use package guard", f.file, f.line, f.what)
		}
	}
}

// bare is a place where a goroutine is started without guard.
type bare struct {
	file string
	line int
	what string
}

// found are the bare goroutines of all Go files beneath a folder but its tests.
func found(t *testing.T, dir string) (out []bare) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		in, err := look(name, nil)
		out = append(out, in...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatalf("no Go files in %s: is this the repository?", dir)
	}
	return out
}

// look parses a file, or the source given for it.
func look(name string, source any) (out []bare, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	guard, startsTests := guardName(file), imports(file, "testing")
	if startsTests {
		return nil, nil // part of tests, though not of a test's file
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if what := startsBare(n, guard); what != "" {
			at := set.Position(n.Pos())
			out = append(out, bare{strings.TrimPrefix(filepath.ToSlash(at.Filename), "../../"), at.Line, what})
		}
		return true
	})
	return out, nil
}

// startsBare says what the node is, if it starts a goroutine that nothing guards: a go statement, or a call of a method Go (of
// an errgroup or a WaitGroup) or AfterFunc whose function is not one of guard's. guard.Group's Go has the work as a first argument.
func startsBare(n ast.Node, guard string) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) == 0 || isGuards(n.Args[len(n.Args)-1], guard) {
			return ""
		}
		of := fmt.Sprint(method.X)
		switch name := method.Sel.Name; {
		case (name == "Go" || name == "TryGo") && len(n.Args) == 1:
			return name + " with a bare function"
		case name == "AfterFunc" && (of == "time" || of == "context"):
			return of + ".AfterFunc with a bare function"
		}
	}
	return ""
}

// isGuards tells a function that cannot panic: guard made it, all that it does is a call of guard's, or it cancels a context.
func isGuards(e ast.Expr, guard string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "cancel"
	case *ast.CallExpr:
		if isGuards(e.Fun, guard) {
			return true
		}
		f, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		if f.Sel.Name == "AfterFunc" { // looked at by itself
			return true
		}
		of, ok := f.X.(*ast.Ident)
		return ok && guard != "" && of.Name == guard
	case *ast.FuncLit:
		if len(e.Body.List) != 1 {
			return false
		}
		switch only := e.Body.List[0].(type) {
		case *ast.ExprStmt:
			return isGuards(only.X, guard)
		case *ast.ReturnStmt:
			return len(only.Results) == 1 && isGuards(only.Results[0], guard)
		}
	}
	return false
}

// guardName is what the file calls package guard, or nothing.
func guardName(file *ast.File) string {
	for _, spec := range file.Imports {
		if p := strings.Trim(spec.Path.Value, `"`); p == "github.com/coracle-k8s/coracle/guard" {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(p)
		}
	}
	return ""
}

func imports(file *ast.File, name string) bool {
	return slices.ContainsFunc(file.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"`+name+`"` })
}

func TestBareGoroutinesAreFound(t *testing.T) {
	for body, want := range map[string]string{
		`go f()`:                                                       "a go statement",
		`go func() {}()`:                                               "a go statement",
		`group.Go(func() error { return nil })`:                        "Go with a bare function",
		`group.TryGo(f)`:                                               "TryGo with a bare function",
		`held.running.Go(f)`:                                           "Go with a bare function",
		`group.Go("work", f)`:                                          "",
		`guard.Go("work", f)`:                                          "",
		`group.Go(guard.Func("work", f))`:                              "",
		`group.Go(other.Func("work", f))`:                              "Go with a bare function",
		`time.AfterFunc(d, cancel)`:                                    "",
		`group.Go(func() { guard.Do("work", f) })`:                     "",
		`group.Go(func() error { return guard.Call("work", f) })`:      "",
		`group.Go(func() { x := 1; guard.Do("work", f) })`:             "Go with a bare function",
		`context.AfterFunc(ctx, func() { cancel(err) })`:               "",
		`context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })`: "",
		`context.AfterFunc(ctx, func() { time.AfterFunc(d, f) })`:      "time.AfterFunc with a bare function",
		`time.AfterFunc(d, f)`:                                         "time.AfterFunc with a bare function",
		`func() { group.Go(func() { go f() }) }()`:                     "Go with a bare function",
	} {
		source := "package p\nimport \"github.com/coracle-k8s/coracle/guard\"\nfunc _() {\n" + body + "\n}\n"
		got, err := look("p.go", source)
		if err != nil {
			t.Fatal(err)
		}
		if what := ""; len(got) > 0 {
			if what = got[0].what; what != want || got[0].line != 4 {
				t.Errorf("%s: %+v, want %q in line 4", body, got, want)
			}
		} else if want != "" {
			t.Errorf("%s: nothing, want %q", body, want)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strings"
)

// gateNews prints the feature gates that came, went, or have another default or stage. files are two versions of a source file that
// maps gates to lists of versioned specifications, upstream's pkg/features/kube_features.go say.
func gateNews(out io.Writer, files string) error {
	older, newer, ok := strings.Cut(files, ",")
	if !ok {
		return errors.New("-gates wants two files")
	}
	were, err := gatesIn(older)
	if err != nil {
		return err
	}
	are, err := gatesIn(newer)
	if err != nil {
		return err
	}
	compare(out, "feature gates", were, are, func(was, is string) []string { return []string{is + ", was " + was} })
	return nil
}

// gatesIn are the gates of a file, each with the newest version's default and stage: "true GA locked".
func gatesIn(path string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the feature gates: %w", err)
	}
	gates := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		specs, ok := pair.Value.(*ast.CompositeLit)
		if !ok || len(specs.Elts) == 0 {
			return true
		}
		if about := specification(specs.Elts[len(specs.Elts)-1]); about != "" {
			gates[lastName(pair.Key)] = about
		}
		return true
	})
	return gates, nil
}

func specification(e ast.Expr) string {
	spec, ok := e.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	values := map[string]string{}
	for _, field := range spec.Elts {
		if pair, ok := field.(*ast.KeyValueExpr); ok {
			values[lastName(pair.Key)] = lastName(pair.Value)
		}
	}
	if values["Default"] == "" {
		return ""
	}
	about := values["Default"] + " " + values["PreRelease"]
	if values["LockToDefault"] == "true" {
		about += " locked"
	}
	return about
}

// lastName is the identifier at the end of an expression: Alpha of featuregate.Alpha.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

//go:build definitions

// Command documents writes the OpenAPI documents of the built-in resources.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func main() { os.Exit(run(os.Args[1])) }

func run(into string) int {
	if err := write(into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func write(into string) error {
	dir, err := os.MkdirTemp("", "documents")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	r, err := apitest.New(context.Background(), apitest.Options{Dir: dir})
	if err != nil {
		return fmt.Errorf("making a server: %w", err)
	}
	served, err := build(r.Server.WebServices())
	if err != nil {
		return err
	}
	files, err := served.files()
	if err != nil {
		return err
	}
	return save(into, files)
}

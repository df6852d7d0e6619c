// Command build makes the small programs that a node needs beside coracle and packs them for embedding.
//
// It is run in the repository's root. The versions of what others wrote are in hack/runtime/modules, a module of its own:
// the shim is of a newer containerd than the one that coracle links.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() { os.Exit(run()) }

func run() int {
	out := flag.String("o", "generated/runtime", "folder that receives linux_<arch>")
	work := flag.String("work", "bin/runtime", "folder for the programs before packing")
	flag.Parse()
	if err := build(*out, *work); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return 0
}

// build makes every program that is not up to date, packs it and writes the index.
func build(out, work string) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the node's programs are built on linux/amd64 only, not on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	target := filepath.Join(out, "linux_amd64")
	for _, dir := range []string{target, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	var entries []entry
	for _, p := range programs() {
		e, err := p.make(target, work)
		if err != nil {
			return fmt.Errorf("making %s: %w", p.name, err)
		}
		entries = append(entries, e)
	}
	return writeIndex(filepath.Join(target, "index"), entries)
}

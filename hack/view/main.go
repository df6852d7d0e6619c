// Command view compresses the files of a built page into the folder that the program embeds: the same files, byte for byte,
// from the same page.
//
//	go run ./hack/view FROM TO
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip" // of a version that go.mod says: the standard library's output changes with Go's
)

// most is what the page may weigh, compressed.
const most = 500_000

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: view FROM TO")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	total := 0
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			return err
		}
		_, _ = w.Write(content) // into memory
		_ = w.Close()
		if err := os.WriteFile(filepath.Join(to, e.Name()+".gz"), out.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Printf("%7d %7d  %s\n", len(content), out.Len(), e.Name())
		total += out.Len()
	}
	if total > most {
		return fmt.Errorf("the page weighs %d bytes compressed, %d are allowed", total, most)
	}
	fmt.Printf("        %7d  together\n", total)
	return nil
}

//go:build definitions

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// save writes the files, compressed, into the directory's folder documents, which has nothing else in it then; and their hashes.
func save(dir string, files map[string][]byte) error {
	folder := filepath.Join(dir, "documents")
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing old documents: %w", err)
	}
	hashes := map[string]string{}
	for name, content := range files {
		path := filepath.Join(folder, name+".gz")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making directories: %w", err)
		}
		packed, err := compress(content)
		if err != nil {
			return fmt.Errorf("compressing %s: %w", name, err)
		}
		if err := os.WriteFile(path, packed, 0o644); err != nil {
			return fmt.Errorf("writing documents: %w", err)
		}
		hashes[name] = fmt.Sprintf("%X", sha512.Sum512(content))
	}
	encoded, err := json.MarshalIndent(hashes, "", " ")
	if err != nil {
		return fmt.Errorf("encoding hashes: %w", err)
	}
	return os.WriteFile(filepath.Join(folder, "hashes.json"), append(encoded, '\n'), 0o644)
}

func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

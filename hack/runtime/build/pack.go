package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// entry is a line of the index: a program, the SHA-256 of its content and its size in bytes.
type entry struct {
	name, sum string
	size      int
}

func (e entry) String() string { return fmt.Sprintf("%s %s %d\n", e.name, e.sum, e.size) }

// pack compresses the program at path to target/<name>.zst unless the index there says that it is that content already.
// It returns the number of bytes written.
func pack(name, path, target string) (entry, int, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return entry{}, 0, err
	}
	sum := sha256.Sum256(content)
	e := entry{name: name, sum: hex.EncodeToString(sum[:]), size: len(content)}
	file := filepath.Join(target, name+".zst")
	if index, err := os.ReadFile(filepath.Join(target, "index")); err == nil && strings.Contains(string(index), e.String()) {
		if _, err := os.Stat(file); err == nil {
			return e, 0, nil
		}
	}
	packed, err := exec.Command("zstd", "--ultra", "-22", "--quiet", "--stdout", path).Output()
	if err != nil {
		return entry{}, 0, fmt.Errorf("compressing with zstd: %w", err)
	}
	return e, len(packed), replace(file, packed)
}

// writeIndex writes the list of programs, if it changed: the go command rebuilds what embeds a file by its content, but
// make looks at times.
func writeIndex(path string, entries []entry) error {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.String())
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == b.String() {
		return nil
	}
	return replace(path, []byte(b.String()))
}

// replace writes a file whole or not at all.
func replace(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

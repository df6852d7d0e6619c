package containerd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-k8s/coracle/generated/runtime"
)

// unpack puts the carried programs under l.binaries, in a folder named by their content, and points l.programs to it.
// Containers started with an earlier set go on with the new one, as they would with a distribution's upgraded runtime;
// earlier sets are removed. A set that is there already is only looked at.
func unpack(l layout) error {
	programs, err := runtime.Programs()
	if err != nil {
		return err
	}
	set := digest(programs)
	target := filepath.Join(l.binaries, set)
	if !complete(target, programs) {
		if err := unpackTo(target, programs); err != nil {
			return fmt.Errorf("unpacking the node's programs to %s: %w", target, err)
		}
	}
	if err := point(l.programs, set); err != nil {
		return fmt.Errorf("pointing %s to %s: %w", l.programs, set, err)
	}
	return removeOthers(l.binaries, set, filepath.Base(l.programs))
}

// search makes the programs in dir those that this process finds by name. containerd finds the shim of a container that
// outlived its process, and the shim finds runc to describe it, in no other way.
func search(dir string) error {
	path := os.Getenv("PATH")
	if path == dir || strings.HasPrefix(path, dir+":") {
		return nil
	}
	return os.Setenv("PATH", strings.TrimSuffix(dir+":"+path, ":"))
}

// digest names a set of programs by its content.
func digest(programs []runtime.Program) string {
	h := sha256.New()
	for _, p := range programs {
		fmt.Fprintln(h, p.Name, p.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// complete says whether every program is in dir at its full size. Folders come into being whole; this is for what people do.
func complete(dir string, programs []runtime.Program) bool {
	for _, p := range programs {
		info, err := os.Stat(filepath.Join(dir, p.Name))
		if err != nil || info.Size() != p.Size || info.Mode().Perm()&0o111 == 0 {
			return false
		}
	}
	return true
}

// unpackTo writes the set beside its place and moves it there when it is on the disk.
func unpackTo(target string, programs []runtime.Program) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(target), ".unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer decoder.Close()
	for _, p := range programs {
		if err := writeProgram(filepath.Join(temporary, p.Name), p, decoder); err != nil {
			return err
		}
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.Rename(temporary, target)
}

func writeProgram(path string, p runtime.Program, decoder *zstd.Decoder) error {
	packed, err := runtime.Packed(p)
	if err != nil {
		return err
	}
	if err := decoder.Reset(bytes.NewReader(packed)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = decoder.WriteTo(f)
	return errors.Join(err, f.Sync(), f.Close())
}

// point makes path a symbolic link to target, at once where there is another.
func point(path, target string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func removeOthers(dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		kept := false
		for _, name := range keep {
			kept = kept || e.Name() == name
		}
		if !kept {
			failed = append(failed, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(failed...)
}

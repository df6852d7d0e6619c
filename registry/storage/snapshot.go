package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

// SnapshotTo writes a snapshot as etcd's own tools do, and read: the database as it is now, and its SHA-256. begin is told the length
// before the first byte.
func (u *Upkeep) SnapshotTo(w io.Writer, begin func(length int64)) error {
	u.file.Lock()
	defer u.file.Unlock()
	s := u.member.Backend().Snapshot()
	defer s.Close()
	begin(s.Size() + sha256.Size)
	sum := sha256.New()
	if _, err := s.WriteTo(io.MultiWriter(w, sum)); err != nil {
		return fmt.Errorf("writing a snapshot of etcd: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("writing a snapshot of etcd: %w", err)
	}
	return nil
}

// SaveSnapshot makes path a snapshot that write writes, readable by its owner only. The file is there when all of it is on the disk
// and has been found whole; until then, whatever was there before is.
func SaveSnapshot(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), partial+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("saving a snapshot: %w", err)
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("saving a snapshot: %w", err)
	}
	if err := CheckSnapshot(f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("saving a snapshot: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// partial begins the names of files that are not whole yet.
const partial = ".partial-"

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}

// CheckSnapshot reads a snapshot: its sum must be right, and all pages readable.
func CheckSnapshot(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	length := info.Size() - sha256.Size
	if length <= 0 || length%512 != 0 {
		return fmt.Errorf("%s is not a whole snapshot of etcd", path)
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.CopyN(sum, f, length); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if _, err := io.ReadFull(f, want); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("%s is damaged: its SHA-256 is not what it says", path)
	}
	return checkPages(path)
}

func checkPages(path string) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("%s is damaged: %v", path, found)
		}
	}()
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("%s is no database of etcd: %w", path, err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		if err := tx.ForEach(checkBucket); err != nil {
			return fmt.Errorf("%s is damaged: %w", path, err)
		}
		if tx.Bucket([]byte("key")) == nil || tx.Bucket([]byte("meta")) == nil {
			return fmt.Errorf("%s is no database of etcd", path)
		}
		return nil
	})
}

// revisionBump is by how much a restored database is ahead of the snapshot: more than anything can have been written since then. So
// no client that has seen the future takes it for the present, and as all before it counts as compacted, everybody lists again.
const revisionBump = 1_000_000_000

// Restore makes the etcd directory dir from a snapshot. What is there already is moved aside, to the path that is returned ("" if there
// was nothing). No server may run on it.
func Restore(ctx context.Context, path, dir string) (aside string, err error) {
	if err := CheckSnapshot(path); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	fresh := dir + ".restoring"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, OutputDataDir: fresh, Name: memberName, PeerURLs: []string{noPeer}, InitialCluster: memberName + "=" + noPeer,
		InitialClusterToken: memberName, RevisionBump: revisionBump, MarkCompacted: true,
	})
	if err != nil {
		return "", errors.Join(fmt.Errorf("restoring %s: %w", path, err), os.RemoveAll(fresh))
	}
	if err := os.Chmod(fresh, 0o700); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		lock, err := lockDirectory(dir)
		if err != nil {
			return "", err
		}
		defer lock.Close()
	}
	return PutInPlace(fresh, dir)
}

// PutInPlace makes the folder fresh the folder dir. What is there is moved aside, to the path that is returned; "" if there is nothing.
func PutInPlace(fresh, dir string) (aside string, err error) {
	if _, err := os.Lstat(dir); err == nil {
		aside = dir + ".before-" + time.Now().UTC().Format(timeInNames)
		if err := os.Rename(dir, aside); err != nil {
			return "", err
		}
	}
	if err := os.Rename(fresh, dir); err != nil {
		return aside, err
	}
	return aside, syncDirectory(filepath.Dir(dir))
}

// timeInNames sorts.
const timeInNames = "20060102T150405Z"

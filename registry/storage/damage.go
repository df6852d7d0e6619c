package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	etcdversion "go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
)

// state is what a member's database says of itself.
type state struct {
	// applied is the last entry of the log that the database has; 0 before the first.
	applied uint64
	// version of etcd that the database needs, "" if it does not say.
	version string
}

// checkFiles looks for what a member's directory lacks, and reads its database once, before etcd does and changes any of it: etcd
// opens the database in a goroutine of its own, whose panic about a damaged one ends the process, and it takes a missing log
// for a new member, which it waits for in vain. After an end in order (clean) not all of the database is read. What an interrupted first start has left does not matter: of a log without anything,
// with which no member can begin, it frees the directory.
func checkFiles(dir string, clean bool) error {
	database, logs := filepath.Join(dir, "member", "snap", "db"), filepath.Join(dir, "member", "wal")
	if _, err := os.ReadDir(logs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	logged := wal.Exist(logs)
	info, err := os.Stat(database)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if logged && len(filesIn(filepath.Dir(database), ".snap")) > 0 {
			return fmt.Errorf("the database %s is missing", database)
		}
		return nil
	case err != nil:
		return err
	case !logged && info.Size() == 0:
		return nil
	}
	is, err := checkDatabase(database, info.Size(), !clean)
	if err != nil {
		return err
	}
	if newer(is.version, etcdversion.Version) {
		return fmt.Errorf("the database %s was written by etcd %s, which is newer than %s: %w", database, is.version, etcdversion.Version, errNewer)
	}
	if !logged {
		if is.applied > 0 {
			return fmt.Errorf("the log in %s is missing", logs)
		}
		return nil
	}
	last, committed, err := endOfLog(logs)
	switch {
	case err == nil && last < is.applied:
		return fmt.Errorf("the log in %s is cut off or damaged: it ends with entry %d, the database has entry %d", logs, last, is.applied)
	case err == nil && is.applied == 0 && !committed:
		err = os.RemoveAll(logs)
	}
	if err != nil {
		return fmt.Errorf("reading the log in %s: %w", logs, err)
	}
	return nil
}

// checkDatabase reads a database that is to have a given size, all pages of it if asked to.
func checkDatabase(path string, size int64, all bool) (is state, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // pages are memory that is mapped
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("the database %s is damaged: %v", path, found)
		}
	}()
	writable, err := os.OpenFile(path, os.O_RDWR, 0) // as etcd will
	if err != nil {
		return is, err
	}
	_ = writable.Close()
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return is, fmt.Errorf("the database %s is damaged: %w", path, err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		if size < tx.Size() {
			return fmt.Errorf("the database %s is damaged: %d bytes of %d are left", path, size, tx.Size())
		}
		if all {
			if err := tx.ForEach(checkBucket); err != nil {
				return fmt.Errorf("the database %s is damaged: %w", path, err)
			}
		}
		is = stateIn(tx)
		return nil
	})
	return is, err
}

// checkBucket reads all keys, and the library each page on the way, about which it panics if it is not what it should be.
func checkBucket(name []byte, b *bolt.Bucket) error {
	var last []byte
	return b.ForEach(func(key, _ []byte) error {
		if last != nil && bytes.Compare(last, key) >= 0 {
			return fmt.Errorf("keys of bucket %q are out of order", name)
		}
		last = key
		return nil
	})
}

func stateIn(tx *bolt.Tx) (is state) {
	if meta := tx.Bucket([]byte("meta")); meta != nil {
		if index := meta.Get([]byte("consistent_index")); len(index) == 8 {
			is.applied = binary.BigEndian.Uint64(index)
		}
		is.version = string(meta.Get([]byte("storageVersion")))
	}
	if cluster := tx.Bucket([]byte("cluster")); cluster != nil {
		if version := string(cluster.Get([]byte("clusterVersion"))); is.version == "" || newer(version, is.version) {
			is.version = version
		}
	}
	return is
}

// newer compares the major and minor versions.
func newer(a, b string) bool {
	majorA, minorA := version(a)
	majorB, minorB := version(b)
	return majorA > majorB || majorA == majorB && minorA > minorB
}

func version(s string) (major, minor int) {
	parts := strings.SplitN(s, ".", 3)
	major, _ = strconv.Atoi(parts[0])
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	return major, minor
}

// endOfLog is the index of the last entry that can be read from the log in dir, and whether any has been committed, or may have. What
// cannot be read is not looked at: etcd cuts off an entry that was being written when the process ended, and says what else is wrong.
func endOfLog(dir string) (last uint64, committed bool, err error) {
	files := filesIn(dir, ".wal")
	path := files[len(files)-1]
	var file uint64
	if _, err := fmt.Sscanf(filepath.Base(path), "%016x-%016x.wal", &file, &last); err != nil {
		return 0, true, fmt.Errorf("%s is no part of a log", path)
	}
	last = max(last, 1) - 1 // the name says which entry comes first
	f, err := os.Open(path)
	if err != nil {
		return 0, true, err
	}
	defer f.Close()
	decoder := wal.NewDecoder(fileutil.NewFileReader(f))
	for record := new(walpb.Record); ; {
		if err := decoder.Decode(record); err != nil {
			if unreadable := new(fs.PathError); errors.As(err, &unreadable) {
				return 0, true, err
			}
			return last, committed || len(files) > 1 || !errors.Is(err, io.EOF), nil
		}
		switch record.GetType() {
		case wal.CrcType:
			decoder.UpdateCRC(record.GetCrc())
		case wal.EntryType:
			last = wal.MustUnmarshalEntry(record.Data).GetIndex()
		case wal.StateType:
			committed = committed || wal.MustUnmarshalState(record.Data).GetCommit() > 0
		}
	}
}

// filesIn are the paths of what is in dir and ends with suffix, sorted: names of logs and snapshots begin with numbers.
func filesIn(dir, suffix string) (paths []string) {
	entries, _ := os.ReadDir(dir) // what cannot be listed is missing
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

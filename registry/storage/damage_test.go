package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// member makes a directory that has been used and says how many bytes of its log are.
func member(t *testing.T) (dir, database, log string, used int64) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "a [strange] name")
	b, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var puts []clientv3.Op
	for i := range 100 { // they fill several pages
		puts = append(puts, clientv3.OpPut(fmt.Sprint("/key", i), strings.Repeat("value", 100)))
	}
	if _, err := b.Client.Client.Txn(context.Background()).Then(puts...).Commit(); err != nil {
		t.Fatal(err)
	}
	b.Close()
	logs := filesIn(filepath.Join(dir, "member", "wal"), ".wal")
	if len(logs) != 1 {
		t.Fatalf("logs %v", logs)
	}
	content, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, "member", "snap", "db"), logs[0], int64(len(bytes.TrimRight(content, "\x00")))
}

func TestDamageOfAMemberIsSaid(t *testing.T) {
	dir, database, log, used := member(t)
	check := func(name, want string) {
		t.Helper()
		if err := checkFiles(dir, false); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	check("whole", "")

	without := func(path, want string) {
		t.Helper()
		if err := os.Rename(path, dir+"/aside"); err != nil {
			t.Fatal(err)
		}
		check("without "+path, want)
		if err := os.Rename(dir+"/aside", path); err != nil {
			t.Fatal(err)
		}
	}
	without(filepath.Dir(log), "the log in "+filepath.Dir(log)+" is missing")
	without(log, "the log in "+filepath.Dir(log)+" is missing")
	rewrite(t, filepath.Join(filepath.Dir(database), "0000000000000001-0000000000000001.snap"), nil)
	without(database, "the database "+database+" is missing")

	whole, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for _, fill := range []byte{0, 0xff} { // all but the heads, which are intact
		broken := bytes.Clone(whole)
		copy(broken[2*page:], bytes.Repeat([]byte{fill}, len(broken)-2*page))
		rewrite(t, database, broken)
		check("overwritten pages", database+" is damaged")
	}
	rewrite(t, database, whole)
	writtenBy(t, database, "4.0.0")
	check("a newer etcd's", "written by etcd 4.0.0")
	writtenBy(t, database, "3.6.0")

	if err := os.Truncate(log, used/2); err != nil {
		t.Fatal(err)
	}
	check("half a log", "cut off or damaged")
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	check("an empty log", "cut off or damaged")
}

// A start may end at any time: what it has begun is no damage.
func TestAnInterruptedFirstStartIsContinued(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "member", "snap"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "member", "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(dir, "member", "snap", "db"), nil)
	if err := checkFiles(dir, false); err != nil {
		t.Errorf("before there is a log: %v", err)
	}
	log, err := wal.Create(zap.NewNop(), filepath.Join(dir, "member", "wal"), nil)
	if err == nil {
		err = log.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(dir, "member", "snap", "db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	b, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatalf("before there is anything in the log: %v", err)
	}
	b.Close()
}

func TestAdviceFitsTheFault(t *testing.T) {
	for want, err := range map[string]error{
		"make room":      stopped{"failed to commit tx", &os.PathError{Op: "write", Path: "db", Err: unix.ENOSPC}},
		"the user who":   &os.PathError{Op: "open", Path: "db", Err: unix.EACCES},
		"such a version": fmt.Errorf("written by another: %w", errNewer),
		"put a backup":   stopped{message: "failed to read"},
	} {
		if got := advice(fmt.Errorf("starting: %w", err), "/dir"); !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func writtenBy(t *testing.T, database, version string) {
	t.Helper()
	db, err := bolt.Open(database, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("cluster")).Put([]byte("clusterVersion"), []byte(version))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func rewrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

func TestUpkeepDoesWhatPays(t *testing.T) {
	const mega, giga = 1 << 20, 1 << 30
	for name, c := range map[string]struct {
		usage Usage
		rate  float64
		since time.Duration
		want  upkeepPlan
	}{
		"little in it":              {Usage{Size: 60 * mega, InUse: mega, Quota: 8 * giga}, 0, 48 * time.Hour, upkeepPlan{}},
		"half free":                 {Usage{Size: 200 * mega, InUse: 90 * mega, Quota: 8 * giga}, 1, time.Minute, upkeepPlan{defragment: true}},
		"half free, but busy":       {Usage{Size: 200 * mega, InUse: 90 * mega, Quota: 8 * giga}, 200, time.Hour, upkeepPlan{}},
		"busy for a day":            {Usage{Size: 200 * mega, InUse: 90 * mega, Quota: 8 * giga}, 200, 25 * time.Hour, upkeepPlan{defragment: true}},
		"a long pause":              {Usage{Size: 2 * giga, InUse: 900 * mega, Quota: 8 * giga}, 1, time.Hour, upkeepPlan{}},
		"near the quota":            {Usage{Size: 7 * giga, InUse: 4 * giga, Quota: 8 * giga}, 500, time.Hour, upkeepPlan{compact: true, defragment: true}},
		"near, and nothing is free": {Usage{Size: 7 * giga, InUse: 7 * giga, Quota: 8 * giga}, 1, time.Hour, upkeepPlan{compact: true}},
		"near, and just tried":      {Usage{Size: 7 * giga, InUse: 4 * giga, Quota: 8 * giga}, 1, time.Minute, upkeepPlan{}},
		"no space":                  {Usage{Size: 8 * giga, InUse: giga, Quota: 8 * giga, NoSpace: true}, 1, time.Second, upkeepPlan{compact: true, disarm: true}},
	} {
		if got := decide(c.usage, c.rate, c.since); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func open(t *testing.T, dir string, quota int64) *Backend {
	t.Helper()
	b, err := Embedded(t.Context(), dir, quota)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(ctx context.Context, b *Backend, key, value string) error {
	_, err := b.Client.Client.Put(ctx, Root+"/"+key, value)
	return err
}

// fill writes until the quota is reached.
func fill(t *testing.T, b *Backend) {
	t.Helper()
	value := strings.Repeat("x", 1<<20)
	for i := range 1000 {
		err := put(t.Context(), b, fmt.Sprintf("configmaps/default/%d", i), value)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the quota is never reached")
}

// A database that has reached its quota is written to again, by itself and over a restart, when something has been deleted.
func TestFullDatabaseRecovers(t *testing.T) {
	const quota = 16 << 20
	dir := t.TempDir()
	b := open(t, dir, quota)
	fill(t, b)
	if problem := b.Upkeep.Usage().Problem(); !strings.Contains(problem, "has reached its quota") {
		t.Errorf("what users are told: %q", problem)
	}
	if err := put(t.Context(), b, "x", "y"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatalf("it is not full: %v", err)
	}
	b.Close()

	b = open(t, dir, quota) // it starts
	defer func() { b.Close() }()
	if err := put(t.Context(), b, "x", "y"); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatalf("it is not full any more: %v", err)
	}
	for i := range 1000 {
		if _, err := b.Client.Client.Delete(t.Context(), fmt.Sprintf("%s/configmaps/default/%d", Root, i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for put(ctx, b, "x", "y") != nil {
		select {
		case <-ctx.Done():
			t.Fatalf("waiting until it can be written to: %+v", b.Upkeep.Usage())
		case <-time.After(50 * time.Millisecond):
		}
	}
	// How much is given back depends on how many deletions came before the compaction; the next one gets the rest.
	if now := b.Upkeep.Usage(); now.NoSpace || now.Size >= quota {
		t.Errorf("usage %+v", now)
	}
}

func TestWarningNamesTheBiggestKinds(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, 16<<20)
	if err := put(t.Context(), b, "example.com/things/default/a", strings.Repeat("y", 1000)); err != nil {
		t.Fatal(err)
	}
	fill(t, b)
	b.Close()
	b = open(t, dir, 16<<20)
	defer b.Close()
	select {
	case w := <-b.Upkeep.Warnings():
		if w.Reason != "EtcdNearlyFull" || !strings.Contains(w.Message, " configmaps (") || !strings.Contains(w.Message, "1 example.com/things (0.0 MiB)") {
			t.Errorf("%+v", w)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("waiting for a warning")
	}
}

func TestDefragmentationGivesPagesBack(t *testing.T) {
	b := open(t, t.TempDir(), 0)
	defer b.Close()
	for i := range 30 {
		if err := put(t.Context(), b, "a", strings.Repeat(fmt.Sprint(i%10), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	b.Upkeep.member.Backend().ForceCommit()
	before := b.Upkeep.Usage().Size
	if err := b.Upkeep.compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Upkeep.Defragment(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := b.Upkeep.Usage().Size; now > before/4 {
		t.Errorf("%d bytes, before %d", now, before)
	}
	if got, err := b.Client.Client.Get(t.Context(), Root+"/a"); err != nil || len(got.Kvs) != 1 || len(got.Kvs[0].Value) != 1<<20 {
		t.Errorf("what is left: %v, %v", got, err)
	}
}

// A restored database has what the snapshot has, its revisions are far ahead, and nobody can watch from before.
func TestSnapshotIsRestored(t *testing.T) {
	dir, path := filepath.Join(t.TempDir(), "etcd"), filepath.Join(t.TempDir(), "s.db")
	b := open(t, dir, 0)
	if err := put(t.Context(), b, "a", "then"); err != nil {
		t.Fatal(err)
	}
	if err := SaveSnapshot(path, func(w io.Writer) error { return b.Upkeep.SnapshotTo(w, func(int64) {}) }); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), b, "a", "later"); err != nil {
		t.Fatal(err)
	}
	future := b.Upkeep.Usage().Revision
	if _, err := Restore(t.Context(), path, dir); err == nil || !strings.Contains(err.Error(), "another server uses it") {
		t.Fatalf("while the server runs: %v", err)
	}
	b.Close()
	if status, err := snapshot.NewV3(zap.NewNop()).Status(path); err != nil || status.TotalKey != 1 {
		t.Errorf("etcd's own tool says %+v, %v", status, err)
	}
	aside, err := Restore(t.Context(), path, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(databaseIn(aside)); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	b = open(t, dir, 0)
	defer b.Close()
	got, err := b.Client.Client.Get(t.Context(), Root+"/a")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "then" {
		t.Fatalf("%v, %v", got, err)
	}
	if got.Header.Revision < future+revisionBump/2 {
		t.Errorf("revision %d after %d", got.Header.Revision, future)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for answer := range b.Client.Watch(ctx, Root+"/a", clientv3.WithRev(future)) {
		if !errors.Is(answer.Err(), rpctypes.ErrCompacted) {
			t.Errorf("a watch from revision %d: %v", future, answer.Err())
		}
		break
	}
	if ctx.Err() != nil {
		t.Error("waiting for the watch to be refused")
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	b := open(t, t.TempDir(), 0)
	defer b.Close()
	var whole bytes.Buffer
	if err := b.Upkeep.SnapshotTo(&whole, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole.Bytes())
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{"cut off": whole.Bytes()[:whole.Len()/2], "a bit flipped": flipped, "empty": nil, "text": []byte("no snapshot")} {
		path := filepath.Join(t.TempDir(), "s.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckSnapshot(path); err == nil {
			t.Errorf("%s: it is taken", name)
		}
		if _, err := Restore(t.Context(), path, filepath.Join(t.TempDir(), "etcd")); err == nil {
			t.Errorf("%s: it is restored", name)
		}
	}
}

// The snapshots that there are stay whole whatever happens to the next one, and only a good one makes an old one go.
func TestFailedSnapshotsCostNoGoodOnes(t *testing.T) {
	b := open(t, t.TempDir(), 0)
	defer b.Close()
	s := Schedule{Every: time.Hour, Keep: 2, Dir: filepath.Join(t.TempDir(), "snapshots")}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"coracle-20250101T000000Z.db", "coracle-20250102T000000Z.db", "mine.db", partial + "coracle-20250103T000000Z.db-1"} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	failing := SaveSnapshot(filepath.Join(s.Dir, "coracle-20250102T000000Z.db"), func(w io.Writer) error {
		_, _ = w.Write([]byte("half"))
		return unix.ENOSPC
	})
	if !errors.Is(failing, unix.ENOSPC) {
		t.Errorf("the disk was full: %v", failing)
	}
	if content, err := os.ReadFile(filepath.Join(s.Dir, "coracle-20250102T000000Z.db")); err != nil || string(content) != "coracle-20250102T000000Z.db" {
		t.Errorf("the one before: %q, %v", content, err)
	}
	if all := snapshotsIn(s.Dir); len(all) != 2 {
		t.Errorf("after a failure there are %v", all)
	}
	if err := b.Upkeep.TakeSnapshot(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	all := snapshotsIn(s.Dir)
	if len(all) != 2 || filepath.Base(all[0]) != "coracle-20250102T000000Z.db" || CheckSnapshot(all[1]) != nil {
		t.Errorf("then there are %v", all)
	}
	if info, err := os.Stat(all[1]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, _ := filepath.Glob(filepath.Join(s.Dir, partial+"*"))
	if _, err := os.Stat(filepath.Join(s.Dir, "mine.db")); err != nil || len(left) > 0 {
		t.Errorf("others' files: %v; left over: %v", err, left)
	}
}

// After an end in order a database is not read as a whole, unless it is another one now.
func TestDatabaseIsReadAsAWholeAfterOtherEnds(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, 0)
	if clean, err := takeMark(dir); clean || err != nil {
		t.Errorf("while it runs: %v, %v", clean, err)
	}
	b.Close()
	for _, c := range []struct {
		name  string
		do    func() error
		clean bool
	}{
		{"after an end in order", func() error { return nil }, true},
		{"after another end", func() error { return nil }, false}, // the mark has been taken
		{"put in its place", func() error {
			markClean(dir)
			return os.Chtimes(databaseIn(dir), time.Now(), time.Now().Add(time.Second))
		}, false},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if clean, err := takeMark(dir); clean != c.clean || err != nil {
			t.Errorf("%s: %v, %v", c.name, clean, err)
		}
	}
}

// Where etcd would end the process the backend fails, and says why and what to do.
func TestFailedEtcdIsTold(t *testing.T) {
	b := open(t, t.TempDir(), 0)
	if b.Err() != nil {
		t.Errorf("it has failed: %v", b.Err())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Upkeep.member.Logger().Fatal("failed to save", zap.Error(&os.PathError{Op: "write", Path: "x.wal", Err: unix.ENOSPC}))
		t.Error("what cannot go on went on")
	}()
	<-ended
	<-b.Failed()
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "failed to save") || !strings.Contains(err.Error(), "make room on the disk") {
		t.Errorf("it says %v", err)
	}
	b.Close()
}

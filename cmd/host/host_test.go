package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/node"
)

func TestOneServerPerDataDirectory(t *testing.T) {
	dir := t.TempDir()
	if pid, err := runningPID(dir); pid != 0 || err != nil {
		t.Fatalf("in an empty directory process %d runs (%v)", pid, err)
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := runningPID(dir); pid != os.Getpid() || err != nil {
		t.Errorf("process %d runs (%v), want ourselves", pid, err)
	}
	if _, err := lock(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second lock: %v, want an error with our process number", err)
	}
	held.Close()
	if pid, err := runningPID(dir); pid != 0 || err != nil {
		t.Errorf("after release process %d runs (%v)", pid, err)
	}
}

func TestOneStartsAServerAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	first, err := waitTurn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := waitTurn(impatient, dir); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second had its turn too: error %v", err)
	}
	first.Close()
	second, err := waitTurn(impatient, dir)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestUpForgetsWhereTheLastServerWas(t *testing.T) {
	o := cluster.Options{DataDir: t.TempDir()}
	for range 2 { // again is harmless
		if err := prepare(o, []string{"--https-port=1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(o.Admin(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare(o, []string{"--https-port=2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(o.Admin()); !os.IsNotExist(err) {
		t.Errorf("the last server's kubeconfig is still there (%v)", err)
	}
}

func TestTerminateKillsWhoDoesNotListen(t *testing.T) {
	cmd := await.Command(t, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if err := terminate(context.Background(), cmd.Process.Pid, 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it ended with %v, want killed", err)
	}
	if err := terminate(context.Background(), cmd.Process.Pid, time.Second); err != nil {
		t.Errorf("ending a process that is gone: %v", err)
	}
}

func TestResetDeletesOnlyDataDirectories(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := removeState(dir); err == nil {
		t.Error("no error for a directory that is none of ours")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Fatal(err)
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	if left, err := removeState(dir); err != nil || len(left) != 1 || left[0] != precious {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Fatal(err)
	}
}

func TestResetDeletesWhatIsOursOnly(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "data")
	for _, path := range []string{filepath.Join(dir, "etcd", "member", "db"), filepath.Join(dir, "thesis", "one.txt"), filepath.Join(outside, "precious")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "containerd")); err != nil {
		t.Fatal(err)
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	left, err := removeState(dir)
	if err != nil || len(left) != 1 || left[0] != filepath.Join(dir, "thesis") {
		t.Errorf("left %v, %v", left, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
	for _, path := range []string{filepath.Join(dir, "thesis", "one.txt"), filepath.Join(outside, "precious")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// TestResetLeavesVolumesUnlessTold: they are listed; the directory is one for a new cluster, and they can be deleted later.
func TestResetLeavesVolumesUnlessTold(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "volumes")
	const name = "pvc-0a1b2c3d-0000-4000-8000-0123456789ab"
	for _, o := range []node.Options{{DataDir: dir}, {DataDir: dir, LocalStorageDir: elsewhere}} {
		pool := o.Pool()
		if _, err := pool.Make(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	reset := func(volumes bool) string {
		t.Helper()
		var out strings.Builder
		if err := resetVolumes(dir, nil, volumes, &out); err != nil {
			t.Fatal(err)
		}
		if left, err := removeState(dir); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		return out.String()
	}
	for range 2 {
		if out := reset(false); strings.Count(out, "left 1 local volumes in ") != 2 || !strings.Contains(out, elsewhere) {
			t.Errorf("it says\n%s", out)
		}
		if err := checkOurs(dir); err != nil {
			t.Errorf("a new cluster is refused: %v", err)
		}
	}
	reset(true)
	for _, gone := range []string{dir, elsewhere} {
		if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", gone, err)
		}
	}
}

func TestNobodysDirectoriesAreTaken(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		ok    bool
	}{
		"an empty one":                 {nil, true},
		"one prepared for a node":      {[]string{"images", "certs.d"}, true},
		"a disk of its own":            {[]string{"lost+found"}, true},
		"one that had a server":        {[]string{"server.pid", "notes.txt"}, true},
		"one that had an agent":        {[]string{"agent.json", "pki", "cluster.json"}, true},
		"one whose first start failed": {[]string{"up.flags", "server.log", "server.log.1", ".up.flags.123"}, true},
		"somebody's":                   {[]string{"thesis.txt"}, false},
		"somebody's with a bin":        {[]string{"bin", "etc", "usr"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := checkOurs(dir)
			if (err == nil) != test.ok {
				t.Errorf("taken: %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "--data-dir") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestResetLooksBehindALink(t *testing.T) {
	disk, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(disk, link); err != nil {
		t.Fatal(err)
	}
	held, err := lock(link)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	if _, err := removeState(link); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(link); err != nil || len(left) > 0 {
		t.Errorf("behind the link are %v (%v)", left, err)
	}
}

func TestUnitQuotesItsCommandLine(t *testing.T) {
	content, err := unitOf("/srv/a b").content([]string{"server", "--data-dir=/srv/a b", `--x="50%"$y`})
	if err != nil {
		t.Fatal(err)
	}
	want := ` "server" "--data-dir=/srv/a b" "--x=\"50%%\"$$y"` + "\n"
	for _, want := range []string{want, "StartLimitIntervalSec=0\n"} {
		if !bytes.Contains(content, []byte(want)) {
			t.Errorf("no %s in\n%s", want, content)
		}
	}
}

func TestLogIsRotated(t *testing.T) {
	if os.Getenv("ROTATE_INTO") != "" { // in a process of its own: the log takes stdout and stderr over
		r, err := openRotated(os.Getenv("ROTATE_INTO"))
		if err != nil {
			t.Fatal(err)
		}
		line := bytes.Repeat([]byte("x"), logSize/2+1)
		for range 6 {
			if _, err := r.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprint(os.Stderr, "last words")
		os.Exit(0)
	}
	path := filepath.Join(t.TempDir(), "log")
	cmd := await.Command(t, os.Args[0], "-test.run=^TestLogIsRotated$")
	cmd.Env = append(os.Environ(), "ROTATE_INTO="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i := range logFiles {
		info, err := os.Stat(fmt.Sprintf("%s.%d", path, i+1))
		if err != nil || info.Size() == 0 || info.Size() > logSize {
			t.Errorf("old log %d: %v, %v", i+1, info, err)
		}
	}
	if old, _ := filepath.Glob(path + ".*"); len(old) != logFiles {
		t.Errorf("%d old logs are kept, want %d", len(old), logFiles)
	}
	if content, err := os.ReadFile(path); err != nil || !bytes.HasSuffix(content, []byte("last words")) {
		t.Errorf("what went to stderr after the rotation is not in the log (%v)", err)
	}
}

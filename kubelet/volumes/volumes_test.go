package volumes

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func texts(pairs ...string) map[string]file {
	out := map[string]file{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = file{data: []byte(pairs[i+1]), mode: 0o640}
	}
	return out
}

func TestFilesAreExchangedAtOnce(t *testing.T) {
	dir := t.TempDir()
	steps := []struct {
		files   map[string]file
		changed bool
	}{
		{texts("a", "1", "sub/b", "2"), true},
		{texts("a", "1", "sub/b", "2"), false},
		{texts("a", "3", "c", "4"), true},
		{texts(), true},
	}
	for i, step := range steps {
		changed, err := writeAtomically(dir, step.files, nil)
		if err != nil || changed != step.changed {
			t.Fatalf("step %d: changed %v, %v", i, changed, err)
		}
		for path, f := range step.files {
			got, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil || string(got) != string(f.data) {
				t.Errorf("step %d: %s is %q, %v", i, path, got, err)
			}
			if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("step %d: %s: %v %v", i, path, info.Mode(), err)
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		visible := map[string]bool{}
		hidden := 0
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "..") {
				hidden++
			} else {
				visible[e.Name()] = true
			}
		}
		want := map[string]bool{}
		for path := range step.files {
			top, _, _ := strings.Cut(path, "/")
			want[top] = true
		}
		if !maps.Equal(visible, want) || hidden != 2 {
			t.Errorf("step %d: %v, %d hidden", i, slices.Sorted(maps.Keys(visible)), hidden)
		}
	}
}

func TestPathsStayInside(t *testing.T) {
	for _, path := range []string{"", "/etc/passwd", "../x", "a/../../x", "..data"} {
		if _, err := writeAtomically(t.TempDir(), texts(path, "x"), nil); err == nil {
			t.Errorf("%q is accepted", path)
		}
	}
}

func TestSubPathsStayInside(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../../../../../.."+outside, filepath.Join(root, "up")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"link/secret", "up/secret", "../" + filepath.Base(outside) + "/secret"} {
		if f, err := openBeneath(root, path); err == nil {
			t.Errorf("%s leads out", path)
			f.Close()
		}
	}
	made, err := makeBeneath(root, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	made.Close()
	if info, err := os.Stat(filepath.Join(root, "a", "b")); err != nil || !info.IsDir() {
		t.Errorf("not made: %v", err)
	}
}

func TestEnvironmentFiles(t *testing.T) {
	got, err := parseEnvFile(strings.NewReader("# c\n\nA='1'\n B='two\nlines' # c\nC=''\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"A": "1", "B": "two\nlines", "C": ""}; !maps.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"A=1", "A", "='x'", "A='x", "A='x'y"} {
		if got, err := parseEnvFile(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is accepted as %q", bad, got)
		}
	}
}

func FuzzEnvironmentFiles(f *testing.F) {
	f.Add("A='1'\n# c\nB='x\ny'")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseEnvFile(strings.NewReader(text)) })
}

func TestPipesOfPodsAreNotWaitedFor(t *testing.T) {
	v := New(t.Context(), Config{PodsDir: t.TempDir()})
	pod := newPod("p")
	dir := v.dir(pod.UID, "empty-dir", "e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "reading a pipe", func() {
		if _, _, err := v.EnvFile(pod, "e", "pipe", "A"); err == nil {
			t.Error("no error")
		}
	})
}

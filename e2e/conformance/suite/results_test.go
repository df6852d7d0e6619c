package suite

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestResultsOutliveAKilledRun(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"failed", "passed"} {
		if err := r.Put(Result{Name: "a", State: state, At: time.Unix(1, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Put(Result{Name: "b", State: "failed"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "tests.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"name":"c","sta`)
	f.Close()

	r, err = OpenResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if a, ok := r.Get("a"); !ok || !a.Passed() {
		t.Errorf("the later result of a is lost: %v", a)
	}
	if b, ok := r.Get("b"); !ok || b.Passed() {
		t.Errorf("the result of b is %v", b)
	}
	if _, ok := r.Get("c"); ok {
		t.Error("half a line counts")
	}
	if r.Passed() != 1 {
		t.Errorf("%d passed", r.Passed())
	}
	if err := r.Put(Result{Name: "c", State: "passed"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Forget([]string{"a"}); err != nil {
		t.Fatal(err)
	}
	again, err := OpenResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, ok := again.Get("a"); ok || again.Passed() != 1 {
		t.Errorf("a is there: %t; %d passed", ok, again.Passed())
	}
}

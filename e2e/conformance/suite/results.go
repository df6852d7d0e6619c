package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Results are the tests' results in a file that a run, however it ends, leaves whole: a line for each test.
type Results struct {
	path string

	mu    sync.Mutex
	tests map[string]Result
	file  *os.File
}

// OpenResults reads the results that earlier runs left in a folder. A line that was being written when a run was killed
// is ignored.
func OpenResults(dir string) (*Results, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	r := &Results{path: filepath.Join(dir, "tests.jsonl"), tests: map[string]Result{}}
	content, err := os.ReadFile(r.path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range bytes.Lines(content) {
		var t Result
		if json.Unmarshal(line, &t) == nil && t.Name != "" {
			r.tests[t.Name] = t
		}
	}
	return r, r.rewrite()
}

// rewrite replaces the file by one with a line for each known result.
func (r *Results) rewrite() error {
	var b bytes.Buffer
	for _, t := range r.tests {
		if err := json.NewEncoder(&b).Encode(t); err != nil {
			return err
		}
	}
	if err := os.WriteFile(r.path+".new", b.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		return err
	}
	if r.file != nil {
		r.file.Close()
	}
	var err error
	r.file, err = os.OpenFile(r.path, os.O_APPEND|os.O_WRONLY, 0)
	return err
}

// Get returns a test's result.
func (r *Results) Get(name string) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.tests[name]
	return t, ok
}

// Put records a result.
func (r *Results) Put(t Result) error {
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tests[t.Name] = t
	if _, err := r.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("recording the result of %s: %w", t.Name, err)
	}
	return nil
}

// Forget drops results.
func (r *Results) Forget(names []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		delete(r.tests, name)
	}
	return r.rewrite()
}

// Passed counts the tests that passed when they last ran.
func (r *Results) Passed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, t := range r.tests {
		if t.Passed() {
			n++
		}
	}
	return n
}

// Close closes the file.
func (r *Results) Close() error { return r.file.Close() }

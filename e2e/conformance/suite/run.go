package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// Run is a run of the suite against one cluster.
type Run struct {
	Programs  Programs
	Catalogue Catalogue
	// Kubeconfig says where the cluster is and who may do everything there.
	Kubeconfig string
	// Dir receives the logs and reports of each batch, and what was logged of each test that failed.
	Dir     string
	Results *Results
	// Build is added to the server's version in the results; it may be empty.
	Build string
	// Procs is the number of tests side by side.
	Procs int
	// BySIG runs the tests SIG by SIG.
	BySIG bool
	// Stall is the time without any test ending after which those that run are given up.
	Stall time.Duration
	// Args are further arguments of the suite.
	Args []string
	// Out receives a line for each test.
	Out io.Writer

	ended atomic.Int64
}

// Tests runs the tests that have no result yet and returns when each has one or the context is done. A batch that breaks
// off is taken up again as long as it makes progress.
func (r *Run) Tests(ctx context.Context, tests []string) error {
	todo := r.open(tests)
	for _, b := range Plan(todo, r.Procs, r.BySIG) {
		for attempt := 1; len(b.Tests) > 0; attempt++ {
			before := len(b.Tests)
			fmt.Fprintf(r.Out, "%s: %d tests, %d at a time\n", b.Name, before, b.Procs)
			err := r.batch(ctx, b)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.Tests = r.open(b.Tests)
			b.Procs = max(1, min(b.Procs, len(b.Tests)))
			if len(b.Tests) == before {
				return errors.Join(fmt.Errorf("running %s: no test ended", b.Name), err)
			}
		}
	}
	return nil
}

// open are the tests without a result.
func (r *Run) open(tests []string) []string {
	var open []string
	for _, t := range tests {
		if _, ok := r.Results.Get(t); !ok {
			open = append(open, t)
		}
	}
	return open
}

// batch calls the suite once, follows its log and records what it tells.
func (r *Run) batch(ctx context.Context, b Batch) error {
	dir := filepath.Join(r.Dir, time.Now().UTC().Format("0102-150405-")+b.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c, out, err := start(r.arguments(b, dir))
	if err != nil {
		return fmt.Errorf("starting the suite: %w", err)
	}
	defer out.Close()
	progress, stop := make(chan struct{}, 1), make(chan struct{})
	go c.watch(ctx, progress, stop, r.Stall)
	defer close(stop)
	reading := newReading(b.Tests)
	var failure error
	reading.ended = func(t Result, block string) {
		select {
		case progress <- struct{}{}:
		default:
		}
		if gaveUp := t.State == "interrupted" || t.State == "aborted"; gaveUp {
			if !c.stalled.Load() {
				return // who stopped the run wants it to go on another time
			}
			t.State = "hung"
		}
		failure = errors.Join(failure, r.record(t, reading.version, block))
	}
	failure = errors.Join(reading.read(io.TeeReader(out, log)), failure)
	exit := c.wait()
	if reading.complete && failure == nil && !c.stalled.Load() && ctx.Err() == nil {
		for _, name := range r.open(b.Tests) {
			failure = errors.Join(failure, r.record(Result{Name: name, State: "skipped"}, reading.version, ""))
		}
		return failure
	}
	if exit != nil {
		exit = fmt.Errorf("%w, see %s", exit, log.Name())
	}
	return errors.Join(failure, exit)
}

// arguments are the command line of a batch.
func (r *Run) arguments(b Batch, dir string) []string {
	line := []string{r.Programs.Ginkgo, "-v", "--no-color", "--silence-skips", "--timeout=24h", "--output-interceptor-mode=none",
		"--focus=" + focus(r.Catalogue.Description, b.Tests)}
	if b.Procs > 1 {
		line = append(line, "-p", fmt.Sprintf("--procs=%d", b.Procs))
	}
	return append(append(line, r.Programs.Test, "--", "--kubeconfig="+r.Kubeconfig, "--kubectl-path="+r.Programs.Kubectl,
		"--provider=local", "--report-dir="+dir, "--disable-log-dump"), r.Args...)
}

// record keeps a result, and the log of a failure, and says so.
func (r *Run) record(t Result, server, block string) error {
	t.At = time.Now().UTC().Truncate(time.Second)
	t.Version = strings.TrimSpace(server + " " + r.Build)
	fmt.Fprintf(r.Out, "%4d  %-8s %6.1f s  %s\n", r.ended.Add(1), t.State, t.Seconds, t.Name)
	path := filepath.Join(r.Dir, "failed", slug(t.Name)+".log")
	if t.Passed() {
		os.Remove(path)
	} else if err := keep(path, block); err != nil {
		return err
	}
	return r.Results.Put(t)
}

func keep(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

var unfit = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// slug makes a file's name of a test's.
func slug(name string) string {
	s := strings.Trim(unfit.ReplaceAllString(strings.ReplaceAll(name, "[Conformance]", ""), "-"), "-")
	return s[:min(len(s), 180)]
}

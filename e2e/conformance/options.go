package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	focus, skip *regexp.Regexp
	procs       int
	kubeconfig  string
	cache       string
	results     string
	rerun       string
	stall       time.Duration
	timeout     time.Duration
	together    bool
	program     string
	agents      int
	suiteArgs   []string
	// all takes the tests from the whole suite, tests are parts of names: those that have one of them.
	all   bool
	tests []string
}

// parse reads the command line. Empty values are defaults, so that make can pass variables that nobody set.
func parse(args []string) (*options, error) {
	o := &options{}
	var focus, skip, list string
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&focus, "focus", "", "run tests whose names match this regular expression")
	flags.StringVar(&skip, "skip", "", "leave out those whose names match this one")
	flags.BoolVar(&o.all, "all", false, "choose from all tests of the suite, not from the conformance tests only")
	flags.StringVar(&list, "tests", "", "choose the tests that have one of the lines of this file in their names, from the whole suite")
	flags.IntVar(&o.procs, "procs", 6, "tests side by side")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "test the cluster that this file names instead of one of our own; it must be able to pull the suite's images")
	flags.StringVar(&o.cache, "cache", "", "folder for the suite and its images (coracle-conformance in the user's cache folder)")
	flags.StringVar(&o.results, "results", filepath.Join("bin", "conformance"), "folder for results, reports and logs")
	flags.StringVar(&o.rerun, "rerun", "", "failed: run again what did not pass; all: run everything again, even if the last run was cut off")
	flags.DurationVar(&o.stall, "stall", 20*time.Minute, "give up tests when none has ended for so long")
	flags.DurationVar(&o.timeout, "timeout", 4*time.Hour, "end after this time; another run goes on from there")
	flags.BoolVar(&o.together, "together", false, "run all SIGs' tests side by side even if few passed before")
	flags.StringVar(&o.program, "program", filepath.Join("bin", "coracle"), "the coracle to test")
	flags.IntVar(&o.agents, "agents", 1, "nodes of our own cluster beside the server's; some tests need two nodes in all")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	o.suiteArgs = flags.Args()
	if err := o.readTests(list); err != nil {
		return nil, err
	}
	var errs [2]error
	o.focus, errs[0] = regexp.Compile(focus)
	if skip == "" {
		skip = `^\b$` // nothing
	}
	o.skip, errs[1] = regexp.Compile(skip)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("reading the flags: %w", err)
	}
	if o.rerun != "" && o.rerun != "failed" && o.rerun != "all" {
		return nil, fmt.Errorf("rerun is %q, not failed or all", o.rerun)
	}
	return o, o.paths()
}

// paths makes the folders' names absolute: the suite runs elsewhere.
func (o *options) paths() error {
	if o.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		o.cache = filepath.Join(dir, "coracle-conformance")
	}
	for _, path := range []*string{&o.cache, &o.results, &o.kubeconfig} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	return nil
}

// readTests reads a list of parts of tests' names, one a line; # begins a comment.
func (o *options) readTests(file string) error {
	if file == "" {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the list of tests: %w", err)
	}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			o.tests = append(o.tests, line)
		}
	}
	if len(o.tests) == 0 {
		return fmt.Errorf("reading the list of tests: %s names none", file)
	}
	return nil
}

// selected are the names that the list, focus and skip leave. A line of the list that no test has in its name is an error, and no
// test at all.
func (o *options) selected(names []string) ([]string, error) {
	var chosen []string
	listed := map[string]bool{}
	for _, name := range names {
		in := len(o.tests) == 0
		for _, part := range o.tests {
			if strings.Contains(name, part) {
				in, listed[part] = true, true
			}
		}
		if in && o.focus.MatchString(name) && !o.skip.MatchString(name) {
			chosen = append(chosen, name)
		}
	}
	for _, part := range o.tests {
		if !listed[part] {
			return nil, fmt.Errorf("no test has %q in its name", part)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no test matches")
	}
	return chosen, nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coracle-k8s/coracle/e2e/conformance/suite"
)

// exitCode ends the program with that code, when all there is to say has been said. 0 is success.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// notAllPassed ends a run whose table says why.
const notAllPassed exitCode = 1

// enough tests have passed for all SIGs to be run together: then few failing ones make others wait.
const enough = 400

// conform builds what is missing, runs the selected tests that need to run and prints the table.
func (o *options) conform(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the time is up (%s): call again to go on", o.timeout))
	defer cancel()
	built, err := o.build(ctx)
	if err != nil {
		return err
	}
	if o.kubeconfig == "" {
		inside, code, err := enter()
		if err != nil || !inside {
			return cmp.Or(err, error(exitCode(code)))
		}
	}
	catalogue, err := suite.List(built.programs, o.all || len(o.tests) > 0)
	if err != nil {
		return err
	}
	tests, err := o.selected(catalogue.Names)
	if err != nil {
		return err
	}
	results, err := suite.OpenResults(o.results)
	if err != nil {
		return err
	}
	defer results.Close()
	bySIG := results.Passed() < enough && !o.together
	if err := results.Forget(again(o.rerun, tests, results.Get)); err != nil {
		return err
	}
	err = o.test(ctx, built, &suite.Run{
		Programs: built.programs, Catalogue: catalogue, Dir: o.results, Results: results, Procs: o.procs, BySIG: bySIG,
		Stall: o.stall, Args: o.suiteArgs, Out: os.Stdout,
	}, tests)
	table := suite.Table(tests, results.Get)
	fmt.Print("\n", table)
	err = errors.Join(err, os.WriteFile(filepath.Join(o.results, "table.txt"), []byte(table), 0o644))
	if err != nil {
		return err
	}
	for _, t := range tests {
		if r, ok := results.Get(t); !ok || !r.Passed() {
			return notAllPassed
		}
	}
	return nil
}

// again decides whose results are forgotten: of a run that was cut off none, so that it goes on; of a complete one all.
func again(rerun string, tests []string, get func(string) (suite.Result, bool)) []string {
	var failed []string
	complete := true
	for _, t := range tests {
		r, ok := get(t)
		complete = complete && ok
		if ok && !r.Passed() {
			failed = append(failed, t)
		}
	}
	switch {
	case rerun == "failed":
		return failed
	case rerun == "all" || complete:
		return tests
	}
	return nil
}

// test runs the tests on the given cluster or on one that exists for the time of the run.
func (o *options) test(ctx context.Context, built *built, run *suite.Run, tests []string) error {
	if o.kubeconfig != "" {
		run.Kubeconfig = o.kubeconfig
		return run.Tests(ctx, tests)
	}
	run.Build = commit(ctx)
	return o.withCluster(ctx, built.images, filepath.Join(o.results, "nodes"), func(kubeconfig string) error {
		run.Kubeconfig = kubeconfig
		return run.Tests(ctx, tests)
	})
}

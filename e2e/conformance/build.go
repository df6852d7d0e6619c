package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/coracle-k8s/coracle/e2e/conformance/build"
	"github.com/coracle-k8s/coracle/e2e/conformance/suite"
)

// built is what a run needs besides a cluster.
type built struct {
	programs suite.Programs
	// images is the archive of the suite's images, of a cluster of our own.
	images string
}

// build makes what the cache does not hold.
func (o *options) build(ctx context.Context) (*built, error) {
	dir, err := build.Programs(ctx, o.cache, os.Stdout)
	if err != nil {
		return nil, err
	}
	b := &built{programs: suite.Programs{
		Test: filepath.Join(dir, "e2e.test"), Ginkgo: filepath.Join(dir, "ginkgo"), Kubectl: filepath.Join(dir, "kubectl"),
	}}
	if o.kubeconfig == "" {
		b.images, err = build.Images(ctx, o.cache, dir, os.Stdout)
	}
	return b, err
}

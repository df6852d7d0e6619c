package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/hack/bench/peer"
)

// upstream is what Coracle is compared with.
type upstream struct {
	version string
	// programs is the folder they are in, images archives that nodes load, own those of its own.
	programs string
	images   []string
	own      peer.Images
}

// newUpstream finds the peer whose programs are in a folder. Its images are made beneath dir.
func newUpstream(programs, image, dir string) (*upstream, error) {
	version, err := peer.Version(os.DirFS("."))
	if err != nil {
		return nil, err
	}
	image, err = filepath.Abs(image)
	if err != nil {
		return nil, err
	}
	own, err := peer.MakeImages(dir, programs)
	return &upstream{version: version, programs: programs, images: []string{image}, own: own}, err
}

func (u *upstream) name() string         { return "Kubernetes " + u.version }
func (u *upstream) size() (int64, error) { return peer.Size(u.programs) }

func (u *upstream) create(node bool) (*peer.Cluster, error) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		return nil, err
	}
	return peer.Create(peer.Config{
		Dir: dir, Programs: u.programs, Own: u.own, Images: u.images, CgroupRoot: nodens.CgroupRoot() + "/peer", NoNode: !node,
	})
}

func (u *upstream) install(node bool) (server, error) {
	c, err := u.create(node)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (u *upstream) fleet(ctx context.Context) (fleet, error) {
	c, err := u.create(true)
	if err != nil {
		return nil, err
	}
	r, err := start(ctx, c)
	if err == nil {
		err = r.Complete(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Down())
	}
	return upstreamFleet{c}, nil
}

type upstreamFleet struct{ *peer.Cluster }

func (f upstreamFleet) Join(ctx context.Context) (time.Time, error) {
	began := time.Now()
	return began, f.Cluster.Join(ctx)
}

func (f upstreamFleet) AgentProcesses() ([]int, error) { return f.Cluster.AgentProcesses(), nil }

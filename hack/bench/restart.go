package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// restarts kills the server again and again, each time just after a Pod began to run, and starts it again. It returns the last
// one.
func (b *bench) restarts(ctx context.Context, s *server) (*server, error) {
	var ready []time.Duration
	for i := range b.kills {
		if err := s.runPod(ctx, fmt.Sprintf("before-kill-%d", i)); err != nil {
			return s, err
		}
		if err := s.cmd.Process.Kill(); err != nil {
			return s, err
		}
		_ = s.cmd.Wait() // it was killed
		if err := os.Remove(filepath.Join(s.dir, "server.log")); err != nil {
			return s, err
		}
		again, err := b.start(ctx, s.dir)
		if err != nil {
			return s, fmt.Errorf("starting the server after kill -9: %w", err)
		}
		s, ready = again, append(ready, again.ready)
	}
	b.report("exec to /readyz after kill -9", "%s", median(ready))
	return s, nil
}

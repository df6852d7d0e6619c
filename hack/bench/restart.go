package main

import (
	"context"
	"fmt"
	"time"
)

// restarts kills the server again and again, each time just after a Pod began to run, and starts it again.
func (b *bench) restarts(ctx context.Context, c contender, r *running) error {
	var ready []time.Duration
	for i := range b.kills {
		if _, err := r.runPod(ctx, fmt.Sprintf("before-kill-%d", i)); err != nil {
			return err
		}
		if err := r.Kill(); err != nil {
			return err
		}
		again, err := start(ctx, r.server)
		if err != nil {
			return fmt.Errorf("starting the server after kill -9: %w", err)
		}
		r, ready = again, append(ready, again.ready)
	}
	b.report(c, "exec to /readyz after kill -9", "%s", median(ready))
	return nil
}

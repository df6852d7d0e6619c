package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/guard"
)

// waitUsable returns when the cluster is usable, or when its server has ended, with the reason from its log.
func (s *server) waitUsable(ctx context.Context, o cluster.Options, progress func(string, ...any)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	guard.GoKeep(ctx, "watching the server", func(ctx context.Context) { s.watchExit(ctx, cancel) })
	err := s.usable(ctx, o, progress)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errServerEnded) {
		return fmt.Errorf("the server ended: %s", s.lastWords())
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fmt.Errorf("the cluster is not usable in time (%w); %s", err, s.logHint)
	}
	return err
}

func (s *server) usable(ctx context.Context, o cluster.Options, progress func(string, ...any)) error {
	for { // the kubeconfig is written by the server, soon
		config, err := clientcmd.BuildConfigFromFlags("", o.Admin())
		if err == nil {
			return cluster.WaitUsable(ctx, config, o, progress)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

var errServerEnded = errors.New("the server ended")

// watchExit cancels when the server has been seen running, or had time to, and does not run.
func (s *server) watchExit(ctx context.Context, cancel context.CancelCauseFunc) {
	seen := false
	for began := time.Now(); ctx.Err() == nil; {
		pid, err := s.pid()
		seen = seen || pid != 0
		if err == nil && pid == 0 && (seen || time.Since(began) > 10*time.Second) {
			cancel(errServerEnded)
			return
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

// lastWords is what the server said last.
func (s *server) lastWords() string {
	content, err := os.ReadFile(s.logFile)
	if s.logFile == "" || err != nil {
		return s.logHint
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	for i := len(lines) - 1; i >= 0 && i > len(lines)-50; i-- {
		if message, ok := strings.CutPrefix(lines[i], "coracle: "); ok {
			return message
		}
	}
	return lines[len(lines)-1] + " (" + s.logHint + ")"
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

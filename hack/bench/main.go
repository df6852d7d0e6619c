// Command bench measures what users feel: how long a cluster takes to start, what it costs when idle, how fast Pods come.
//
// It runs bin/coracle, and upstream Kubernetes by turns with it, in namespaces of its own and prints a table. Figures of one run
// are compared with one another only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
	"github.com/coracle-k8s/coracle/hack/bench/peer"
)

func main() {
	machines.Init()
	os.Exit(run())
}

// options are what the command line says.
type options struct {
	binary, images, peer, cache string
	bench                       bench
}

func run() int {
	var o options
	b := &o.bench
	flag.StringVar(&o.binary, "binary", "bin/coracle", "the binary to measure")
	flag.StringVar(&o.images, "images", "bin/images/web-v1.tar", "an archive with the image web:v1")
	flag.StringVar(&o.peer, "peer", "", "folder with the programs of upstream Kubernetes, which are built if there is none given; none: without")
	flag.StringVar(&o.cache, "cache", "", "folder for those that are built (coracle-bench in the user's cache folder)")
	flag.IntVar(&b.rounds, "rounds", 5, "starts to take the median of")
	flag.IntVar(&b.kills, "kills", 10, "times to kill a server and start it again")
	flag.IntVar(&b.pods, "pods", 20, "Pods to create, one at a time")
	flag.StringVar(&b.only, "only", "", "the part to measure: "+strings.Join(parts, ", ")+"; all unless set")
	flag.DurationVar(&b.settle, "settle", 20*time.Second, "how long to wait before looking at idle processes")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long to look at them")
	flag.Parse()
	// There is no network inside: what is to be built is built before. Inside it is there, then.
	if err := untilSignal(o.build); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	signal.Ignore(syscall.SIGINT) // who presses Ctrl-C reaches the process inside, too, which is to clear up
	inside, code, err := nodens.Enter("coracle-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if !inside {
		return code
	}
	if err := untilSignal(o.measure); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// untilSignal calls f with a context that ends when somebody wants the program to end.
func untilSignal(f func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return f(ctx)
}

const none = "none"

// build leaves the folder of the peer's programs in o.peer.
func (o *options) build(ctx context.Context) (err error) {
	switch o.peer {
	case none:
		return nil
	case "":
		if o.cache == "" {
			dir, err := os.UserCacheDir()
			if err != nil {
				return err
			}
			o.cache = filepath.Join(dir, "coracle-bench")
		}
		if o.cache, err = filepath.Abs(o.cache); err != nil {
			return err
		}
		o.peer, err = peer.Programs(ctx, o.cache, os.Stderr)
		return err
	}
	o.peer, err = filepath.Abs(o.peer)
	return err
}

// measure measures all and prints the table, or of it what there is when something fails.
func (o *options) measure(ctx context.Context) (err error) {
	o.bench.contenders = []contender{coracle{binary: o.binary, images: o.images}}
	if o.peer != none {
		dir, err := os.MkdirTemp("", "cb")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		u, err := newUpstream(o.peer, o.images, dir)
		if err != nil {
			return err
		}
		o.bench.contenders = append(o.bench.contenders, u)
	}
	var t table
	for _, c := range o.bench.contenders {
		t.columns = append(t.columns, c.name())
	}
	o.bench.tell = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	o.bench.report = func(c contender, figure, format string, args ...any) {
		value := fmt.Sprintf(format, args...)
		o.bench.tell("  %s: %s: %s", c.name(), figure, value)
		t.set(figure, c.name(), value)
	}
	err = o.bench.run(ctx)
	return errors.Join(err, t.write(os.Stdout))
}

// Command bench measures what users feel: how long a cluster takes to start, what it costs when idle, how fast Pods come.
//
// It runs bin/coracle in namespaces of its own and prints a table. Figures of one run are compared with one another only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func main() {
	machines.Init()
	os.Exit(run())
}

func run() int {
	var b bench
	flag.StringVar(&b.binary, "binary", "bin/coracle", "the binary to measure")
	flag.StringVar(&b.images, "images", "bin/images/web-v1.tar", "an archive with the image web:v1")
	flag.IntVar(&b.rounds, "rounds", 5, "starts to take the median of")
	flag.IntVar(&b.kills, "kills", 10, "times to kill a server and start it again")
	flag.IntVar(&b.pods, "pods", 20, "Pods to create, one at a time")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long to look at the idle process")
	flag.Parse()
	inside, code, err := nodens.Enter("coracle-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if !inside {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "figure\tvalue\t")
	b.report = func(figure, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\t\n", figure, fmt.Sprintf(format, args...))
		out.Flush()
	}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

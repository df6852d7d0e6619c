// Command conformance runs the upstream conformance suite: on a cluster of two nodes that it starts, or on any other.
//
//	conformance [flags] [-- ARGUMENTS OF THE SUITE]
//	conformance build                         only the suite and its images
//	conformance registry ADDRESS ARCHIVE...   a registry of images out of archives
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/coracle-k8s/coracle/e2e/conformance/registry"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

func main() {
	machines.Init()
	os.Exit(run())
}

func run() int {
	// The one that waits for a run in namespaces ignores the interrupt, which that gets as well.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := dispatch(ctx, os.Args[1:])
	if code, ok := err.(exitCode); ok {
		return int(code)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		return 2
	}
	return 0
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) > 2 && args[0] == "registry" {
		return serve(ctx, args[1], args[2:])
	}
	if len(args) > 0 && args[0] == "build" {
		o, err := parse(args[1:])
		if err != nil {
			return err
		}
		_, err = o.build(ctx)
		return err
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return o.conform(ctx)
}

// serve answers as a registry until the context is done.
func serve(ctx context.Context, address string, archives []string) error {
	r, err := registry.Open(archives...)
	if err != nil {
		return err
	}
	defer r.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

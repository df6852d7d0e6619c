// Command apiserver runs a bare API server for development: no node, no controllers.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

func main() { os.Exit(run()) }

func run() int {
	dir := flag.String("dir", "", "directory for keys, etcd and admin.conf")
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	r, err := apitest.New(ctx, apitest.Options{Dir: *dir, Address: *address})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		<-r.Server.Ready()
		fmt.Printf("ready after %v: export KUBECONFIG=%s\n", time.Since(began).Round(time.Millisecond), r.KubeconfigFile)
	}()
	if err := r.Server.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/guard"
)

// settled is when what starting took is over: memory that it needed is given back then, once.
const settled = 20 * time.Second

// Serve runs a server in this process until ctx ends or a part of it fails for good. Containers live on.
func Serve(ctx context.Context, o cluster.Options, log Log) error {
	if err := log.start(); err != nil {
		return err
	}
	if !o.ControlPlaneOnly {
		if err := preflight(); err != nil {
			return err
		}
	}
	held, err := claim(o.DataDir, "server")
	if err != nil {
		return err
	}
	defer held.Close()
	if !o.ControlPlaneOnly {
		places, err := node.Claim(o.DataDir)
		if err != nil {
			return err
		}
		defer places.Close()
	}
	if err := saveOptions(o.DataDir, serverOptions, o); err != nil {
		return err
	}
	notify := takeNotifySocket()
	c, err := cluster.Start(ctx, o)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // asked to end before it was ready
	}
	if err != nil {
		return err
	}
	defer started(notify)()
	guard.GoKeep(context.Background(), "storage failure", func(context.Context) { endSoon(c.StorageFailed()) })
	klog.InfoS("Serving", "address", c.URL(), "kubeconfig", o.Admin())
	return c.Wait()
}

// claim locks a data directory for what is to run there, unless something else has its state there.
func claim(dataDir, what string) (*os.File, error) {
	before, err := readSaved(dataDir)
	if err != nil {
		return nil, err
	}
	if !before.empty() && before.what() != what {
		return nil, fmt.Errorf("%s has the state of %s %s: choose another --data-dir, or delete it (coracle reset --data-dir %s)", dataDir, article(before.what()), before.what(), dataDir)
	}
	if err := checkOurs(dataDir); err != nil {
		return nil, err
	}
	return lock(dataDir)
}

func article(noun string) string {
	if noun[0] == 'a' {
		return "an"
	}
	return "a"
}

// lastMoments is how long a process whose storage has failed has to end in order.
const lastMoments = 10 * time.Second

// endSoon ends the process some time after its storage has failed, unless it ends before. Containers live on.
func endSoon(failed <-chan struct{}) {
	<-failed
	time.Sleep(lastMoments)
	klog.ErrorS(nil, "The storage has failed, and the rest does not end")
	klog.Flush()
	os.Exit(1)
}

// notifySocket names the variable by which systemd says where it is told that the process is ready.
const notifySocket = "NOTIFY_SOCKET"

// takeNotifySocket takes it out of the environment: the API server's library would say there that the process is ready as soon as
// it listens.
func takeNotifySocket() string {
	defer os.Unsetenv(notifySocket)
	return os.Getenv(notifySocket)
}

// started tells systemd, and gives memory back when all has settled, unless stop is called before.
func started(notify string) (stop func()) {
	if notify != "" {
		_ = os.Setenv(notifySocket, notify)
		if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
			klog.ErrorS(err, "Telling systemd that the process is ready")
		}
	}
	timer := time.AfterFunc(settled, func() { guard.Do("giving memory back", giveMemoryBack) })
	return func() { timer.Stop() }
}

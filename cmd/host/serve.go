package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// optionsFile in the data directory keeps the options of the last server, for those who clean up after it.
const optionsFile = "server.json"

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
	held, err := lock(o.DataDir)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := saveOptions(o); err != nil {
		return err
	}
	c, err := cluster.Start(ctx, o)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // asked to end before it was ready
	}
	if err != nil {
		return err
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		klog.ErrorS(err, "Telling systemd that the server is ready")
	}
	defer time.AfterFunc(settled, debug.FreeOSMemory).Stop()
	klog.InfoS("Serving", "address", c.URL(), "kubeconfig", o.Admin())
	return c.Wait()
}

func saveOptions(o cluster.Options) error {
	content, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding options: %w", err)
	}
	return writeFile(filepath.Join(o.DataDir, optionsFile), append(content, '\n'), 0o600, -1, -1)
}

// savedOptions are those of the server that last ran on a data directory; false if none ever did.
func savedOptions(dataDir string) (o cluster.Options, found bool, err error) {
	content, err := os.ReadFile(filepath.Join(dataDir, optionsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return o, false, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &o)
	}
	if err != nil {
		return o, false, fmt.Errorf("reading the last server's options: %w", err)
	}
	return o, true, nil
}

package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	task "github.com/containerd/containerd/api/runtime/task/v3"
	types "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/ttrpc"
	"golang.org/x/sync/errgroup"

	"github.com/coracle-k8s/coracle/guard"
)

// recordExits writes down how those containers ended that ended while no server ran. Their shims know. containerd, when it
// starts, takes such a container for one whose end nobody saw and asks the shim to go: a job that did its work would
// then have failed. It takes what is in its record of a container before all else, and there this is written. What cannot
// be found out is left to containerd.
func recordExits(ctx context.Context, l layout, unseen func(container string, err error)) {
	records, _ := filepath.Glob(filepath.Join(l.root, "io.containerd.grpc.v1.cri", "containers", "*", "status"))
	var all errgroup.Group
	all.SetLimit(8)
	for _, record := range records {
		all.Go(guard.Func("record of an exit", func() error {
			id := filepath.Base(filepath.Dir(record))
			if err := recordExit(ctx, l, id, record); err != nil {
				unseen(id, err)
			}
			return nil
		}))
	}
	_ = all.Wait() // nothing returns an error, but by a panic, which is logged
}

func recordExit(ctx context.Context, l layout, id, record string) error {
	content, err := os.ReadFile(record)
	if err != nil {
		return err
	}
	if running, err := isRunning(content); err != nil || !running {
		return err
	}
	address, err := shimAddress(filepath.Join(l.state, "io.containerd.runtime.v2.task", namespace, id))
	if err != nil {
		return err
	}
	state, err := askShim(ctx, address, id)
	if err != nil || state.Status != types.Status_STOPPED {
		return err
	}
	ended, err := withExit(content, state.ExitStatus, state.ExitedAt.AsTime())
	if err != nil {
		return err
	}
	if err := os.WriteFile(record+".new", ended, 0o600); err != nil {
		return err
	}
	return os.Rename(record+".new", record)
}

// shimAddress is the socket of a container's shim.
func shimAddress(bundle string) (string, error) {
	content, err := os.ReadFile(filepath.Join(bundle, "bootstrap.json"))
	if err != nil {
		return "", err
	}
	var shim struct{ Address, Protocol string }
	if err := json.Unmarshal(content, &shim); err != nil {
		return "", err
	}
	path, isUnix := strings.CutPrefix(shim.Address, "unix://")
	if !isUnix || shim.Protocol != "ttrpc" {
		return "", fmt.Errorf("the shim at %q speaks %q", shim.Address, shim.Protocol)
	}
	return path, nil
}

func askShim(ctx context.Context, address, id string) (*task.StateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	return task.NewTTRPCTaskClient(client).State(ctx, &task.StateRequest{ID: id})
}

// isRunning says whether a container's record is of one that started and has not ended.
func isRunning(record []byte) (bool, error) {
	var r struct {
		Version               string
		StartedAt, FinishedAt int64
	}
	if err := json.Unmarshal(record, &r); err != nil {
		return false, err
	}
	if r.Version != "v1" {
		return false, fmt.Errorf("a container's record of version %q", r.Version)
	}
	return r.StartedAt != 0 && r.FinishedAt == 0, nil
}

// withExit is a container's record with its end in it, and all else as it was.
func withExit(record []byte, code uint32, at time.Time) ([]byte, error) {
	var r map[string]json.RawMessage
	if err := json.Unmarshal(record, &r); err != nil {
		return nil, err
	}
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	for key, value := range map[string]any{"FinishedAt": at.UnixNano(), "ExitCode": int32(code), "Pid": 0, "Reason": reason} {
		content, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		r[key] = content
	}
	return json.Marshal(r)
}

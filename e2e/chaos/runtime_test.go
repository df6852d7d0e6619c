package chaos

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/client"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// inRuntime is what a node's containerd has in its records, which is more than it lists as containers: leases, and what they hold. Those
// of a pull of images are not looked for: images stay.
func (w *world) inRuntime(n *machines.Node) (things []string, err error) {
	ctx := await.Context(w.t, "the runtime answers")
	// Its socket is in the machine's own file systems.
	socket := filepath.Join(fmt.Sprintf("/proc/%d/root", n.PID), containerd.Endpoint(containerd.Config{DataDir: n.DataDir()}))
	c, err := client.New(socket, client.WithDefaultNamespace("k8s.io"))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	containers, err := c.ContainerService().List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range containers {
		things = append(things, "record of a container: "+containers[i].ID)
	}
	sandboxes, err := c.SandboxStore().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sandboxes {
		things = append(things, "record of a sandbox: "+s.ID)
	}
	held, err := leases(ctx, c)
	return append(things, held...), err
}

func leases(ctx context.Context, c *client.Client) (things []string, err error) {
	list, err := c.LeasesService().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		holds, err := c.LeasesService().ListResources(ctx, l)
		if err != nil {
			return nil, err
		}
		things = append(things, fmt.Sprintf("lease: %s of %s, with %v", l.ID, l.CreatedAt, holds))
	}
	return things, nil
}

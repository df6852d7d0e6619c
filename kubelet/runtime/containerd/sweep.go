package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	records "github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"k8s.io/apimachinery/pkg/util/wait"
)

// ofPod is how the container runtime interface names sandboxes, containers, their snapshots, and the leases of sandboxes.
var ofPod = regexp.MustCompile("^[0-9a-f]{64}$")

// madeForPods is the label of all containers that the container runtime interface makes: "container" or "sandbox".
const madeForPods = "io.cri-containerd.kind"

// Sweep removes what was made for Pods before a time and is none of the known sandboxes and containers. A call that failed because the
// disk was full, or that its process did not outlive, and a shim that was killed leave such things: the container runtime interface neither
// lists nor removes them. Nothing of what began before that time may be under way. known is asked after looking.
func Sweep(ctx context.Context, config Config, before time.Time, known func(context.Context) (map[string]bool, error)) error {
	l := newLayout(config.withDefaults())
	c, err := containerd.New(l.socket, containerd.WithDefaultNamespace(namespace))
	if err != nil {
		return fmt.Errorf("reaching containerd on %s: %w", l.socket, err)
	}
	defer c.Close()
	containers, err := c.ContainerService().List(ctx)
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	held, err := leasesOfPods(ctx, c.LeasesService())
	if err != nil {
		return err
	}
	sandboxes, err := c.SandboxStore().List(ctx)
	if err != nil {
		return fmt.Errorf("listing records of sandboxes: %w", err)
	}
	traces := tracesIn(l)
	names, err := known(ctx)
	if err != nil {
		return err
	}
	theirs := map[string]bool{} // by another client of this containerd
	var failed []error
	forget := func(kind, id string, made time.Time, remove func() error) {
		// What is from the future is older: the clock went back since.
		if names[id] || theirs[id] || !ofPod.MatchString(id) || !made.Before(before) && !made.After(time.Now()) {
			return
		}
		if err := remove(); err != nil && !errdefs.IsNotFound(err) && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, fmt.Errorf("removing %s %s, which nobody knows: %w", kind, id, err))
		}
	}
	// Sandboxes last: their shims, which are those of the containers in them, end only when they have no other.
	slices.SortFunc(containers, func(a, b records.Container) int { return cmp.Compare(a.Labels[madeForPods], b.Labels[madeForPods]) })
	for i := range containers {
		id := containers[i].ID
		if containers[i].Labels[madeForPods] == "" {
			theirs[id] = true
		}
		forget("container", id, containers[i].CreatedAt, func() error { return removeUnknown(ctx, c, id) })
	}
	for _, s := range sandboxes {
		forget("the record of sandbox", s.ID, s.CreatedAt, func() error { return c.SandboxStore().Delete(ctx, s.ID) })
	}
	for l, id := range held {
		forget("a lease of", id, l.made, func() error { return c.LeasesService().Delete(ctx, leases.Lease{ID: l.id}) })
	}
	for _, t := range traces {
		forget("what runc knows of", t.id, t.made, t.remove)
	}
	return errors.Join(append(failed, removeSockets(l, before))...)
}

// endings is how often, and after which pauses, a container is ended: the shim of a Pod goes with its last container, sometimes before it has
// answered, and then it takes containerd a moment to know.
var endings = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}

// removeUnknown ends what runs of a container and removes it.
func removeUnknown(ctx context.Context, c *containerd.Client, id string) error {
	var last error
	err := wait.ExponentialBackoffWithContext(ctx, endings, func(ctx context.Context) (bool, error) {
		last = endUnknown(ctx, c, id)
		return last == nil || errdefs.IsNotFound(last), nil
	})
	if err != nil && last == nil {
		return err
	}
	return last
}

func endUnknown(ctx context.Context, c *containerd.Client, id string) error {
	container, err := c.LoadContainer(ctx, id)
	if err != nil {
		return err
	}
	task, err := container.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, containerd.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	return container.Delete(ctx, containerd.WithSnapshotCleanup)
}

type lease struct {
	id   string
	made time.Time
}

// leasesOfPods are those of sandboxes, and those that hold nothing but the snapshot of a container that is being made, with the IDs.
// Pulls of images hold other things.
func leasesOfPods(ctx context.Context, all leases.Manager) (map[lease]string, error) {
	list, err := all.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing leases: %w", err)
	}
	of := map[lease]string{}
	for _, l := range list {
		if ofPod.MatchString(l.ID) {
			of[lease{l.ID, l.CreatedAt}] = l.ID
			continue
		}
		holds, err := all.ListResources(ctx, l)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing what lease %s holds: %w", l.ID, err)
		}
		if len(holds) == 1 && ofPod.MatchString(holds[0].ID) {
			of[lease{l.ID, l.CreatedAt}] = holds[0].ID
		}
	}
	return of, nil
}

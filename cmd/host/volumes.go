package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-k8s/coracle/cmd/node"
	"github.com/coracle-k8s/coracle/kubelet/localvolumes"
)

// resetVolumes removes the local volumes of a node, o if it is known, or lists those that are left, and says what can be done with them.
func resetVolumes(dataDir string, o *node.Options, remove bool, out io.Writer) error {
	known := filepath.Join(dataDir, node.PoolsFile)
	if o == nil {
		o = &node.Options{DataDir: dataDir}
	}
	pools, err := localvolumes.Pools(known)
	if err != nil {
		return err
	}
	if own := o.Pool(); !slices.Contains(pools, own) {
		pools = append(pools, own)
	}
	for _, p := range pools {
		if err := resetPool(p, remove, out); err != nil {
			return fmt.Errorf("local volumes in %s: %w", p.Dir, err)
		}
	}
	if !remove {
		return nil
	}
	if err := os.Remove(known); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func resetPool(p localvolumes.Pool, remove bool, out io.Writer) error {
	volumes, deleted, err := p.List()
	if err != nil || len(volumes)+deleted == 0 {
		return errors.Join(err, p.Remove()) // which is a marker
	}
	if remove {
		if err := p.Remove(); err != nil {
			return err
		}
		fmt.Fprintf(out, "deleted %d local volumes in %s, and %d that were deleted before\n", len(volumes), p.Dir, deleted)
		return nil
	}
	fmt.Fprintf(out, "left %d local volumes in %s, and %d deleted ones:\n", len(volumes), p.Dir, deleted)
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		fmt.Fprintf(out, "  %s  %s\n", name, volumes[name])
	}
	fmt.Fprintf(out, "a new cluster takes them with: kubectl apply -f %s; reset --local-volumes deletes them\n", p.Records())
	return nil
}

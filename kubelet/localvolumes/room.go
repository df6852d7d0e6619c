package localvolumes

import (
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coracle-k8s/coracle/kubelet/disk"
)

// reserve is what no claim may ask for of a disk: the cluster's own state may be on it, and dies of a full one.
func reserve(size int64) int64 { return min(size/20, 4<<30) }

// Room is how many bytes of volumes the pool's disk has room for in all, were nothing else on it; 0 where it is not the right one.
func (p *Pool) Room() (int64, error) {
	if _, err := p.check(); err != nil {
		return 0, err
	}
	space, err := p.space()
	return space.Bytes - reserve(space.Bytes), err
}

// roomFor tells why a volume of some size cannot be made now, nil if it can.
func (p *Pool) roomFor(size int64) error {
	space, err := p.space()
	if err != nil {
		return err
	}
	if free := space.Available - reserve(space.Bytes); size > free {
		return fmt.Errorf("%w: %s of %s are free for volumes", ErrFull, resource.NewQuantity(max(free, 0), resource.BinarySI), p.Dir)
	}
	return nil
}

// space is that of the pool's file system, or of the one where it would be made.
func (p *Pool) space() (space disk.Space, err error) {
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		if space, err = disk.SpaceOf(dir); err == nil || dir == filepath.Dir(dir) {
			return space, err
		}
	}
}

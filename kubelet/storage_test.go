package kubelet

import (
	"testing"

	"github.com/coracle-k8s/coracle/kubelet/disk"
)

// TestVolumesOfOneDiskHaveTheirOwnFigures: the disk's are everybody's.
func TestVolumesOfOneDiskHaveTheirOwnFigures(t *testing.T) {
	space := disk.Space{Bytes: 100, Used: 70, Available: 25, Inodes: 9, InodesFree: 5, InodesUsed: 4}
	for _, c := range []struct{ size, used, available int64 }{{20, 5, 15}, {90, 5, 25}, {20, 30, 0}} {
		want := disk.Space{Bytes: c.size, Used: c.used, Available: c.available, Inodes: 9, InodesFree: 5, InodesUsed: 1}
		if got := partOf(space, c.size, disk.Usage{Bytes: c.used, Inodes: 1}); got != want {
			t.Errorf("of %d, %d are used: %+v, want %+v", c.size, c.used, got, want)
		}
	}
}

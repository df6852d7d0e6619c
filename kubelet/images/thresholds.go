package images

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Thresholds say when images are removed. The zero value is 85 %, 80 % and 2 minutes, as upstream's.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/#container-image-lifecycle
type Thresholds struct {
	// HighPercent of the images' file system in use starts a removal; 100 is only when it is full.
	HighPercent int
	// LowPercent is what it removes down to.
	LowPercent int
	// MinAge keeps images that were found or used less than this time ago.
	MinAge time.Duration
}

func (t Thresholds) withDefaults() Thresholds {
	if t.HighPercent == 0 {
		t.HighPercent = 85
	}
	if t.LowPercent == 0 {
		t.LowPercent = min(80, t.HighPercent)
	}
	if t.MinAge == 0 {
		t.MinAge = 2 * time.Minute
	}
	return t
}

// Disk is how full the images' file system is, in bytes. The zero value is one that is not known.
type Disk struct{ Total, Available int64 }

func (d Disk) usedPercent() int64 {
	if d.Total <= 0 {
		return 0
	}
	return 100 - min(d.Available, d.Total)*100/d.Total
}

// excess is how many bytes must go, 0 below the threshold.
func (t Thresholds) excess(d Disk) int64 {
	if d.Total <= 0 || d.usedPercent() < int64(t.HighPercent) {
		return 0
	}
	return max(d.Total*int64(100-t.LowPercent)/100-d.Available, 0)
}

// insufficient is what the node's owner is told when unused images were not all that fills the disk.
func insufficient(d Disk, freed int64) string {
	return fmt.Sprintf("Insufficient free disk space on the node's image filesystem (%d%% of %s used). "+
		"Failed to free sufficient space by deleting unused images (freed %d bytes). "+
		"Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
		d.usedPercent(), resource.NewQuantity(d.Total, resource.BinarySI), freed)
}

// pick chooses images to remove: unused since before, the longest first, until enough bytes are together. young is whether
// others would have been chosen too if they were older.
func pick(images []*runtimeapi.Image, used map[string]time.Time, before time.Time, enough int64) (chosen []*runtimeapi.Image, young bool) {
	old := slices.DeleteFunc(slices.Clone(images), func(i *runtimeapi.Image) bool { return used[i.Id].After(before) })
	slices.SortStableFunc(old, func(a, b *runtimeapi.Image) int { return used[a.Id].Compare(used[b.Id]) })
	var sum int64
	for n, i := range old {
		if sum >= enough {
			return old[:n], false
		}
		sum += int64(i.Size)
	}
	return old, sum < enough && len(old) < len(images)
}

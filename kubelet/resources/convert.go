package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/coracle-k8s/coracle/apis/core"
)

const (
	// period is the time in microseconds over which CPU limits hold.
	period = 100_000
	// minQuota is the least part of a period, in microseconds, that the kernel takes as a limit.
	minQuota = 1_000

	minShares, maxShares = 2, 262_144
)

// Shares turns requested CPU into a weight against other cgroups' (cgroup v1's cpu.shares): 1024 for one CPU.
func Shares(milliCPU int64) uint64 {
	return uint64(min(max(milliCPU*1024/1000, minShares), maxShares))
}

// Quota turns a CPU limit into microseconds in each period; 0, which is no limit, for none.
func Quota(milliCPU int64) int64 {
	if milliCPU == 0 {
		return 0
	}
	return max(milliCPU*period/1000, minQuota)
}

// hugePages are the limits in bytes, by page size in bytes.
func hugePages(list corev1.ResourceList) map[uint64]uint64 {
	limits := map[uint64]uint64{}
	for name, quantity := range list {
		if !core.IsHugePages(name) {
			continue
		}
		size, err := resource.ParseQuantity(string(name[len(corev1.ResourceHugePagesPrefix):]))
		if err != nil || size.Value() <= 0 {
			continue // validation lets none through
		}
		limits[uint64(size.Value())] += uint64(quantity.Value())
	}
	return limits
}

// pageName is how the kernel's file names call a page size: 2MB, 1GB.
func pageName(bytes uint64) string {
	units := []string{"B", "KB", "MB", "GB", "TB", "PB"}
	for bytes >= 1024 && len(units) > 1 {
		bytes, units = bytes/1024, units[1:]
	}
	return resource.NewQuantity(int64(bytes), resource.DecimalSI).String() + units[0]
}

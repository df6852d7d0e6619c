package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	// keptMemory is what Pods may not have, so that the node notices in time that it runs short.
	keptMemory = 100 << 20
	// keptDiskShare of the disk is likewise kept: a tenth.
	keptDiskShare = 10
)

// Offer says what of the machine a node has for Pods.
type Offer struct {
	// Dir is on the file system that containers write to.
	Dir string
	// CPUs, and Memory in bytes, are the node's; 0 for all that the machine has.
	CPUs, Memory int64
	// Pods is how many the node takes.
	Pods int64
}

// Capacity is what the node has.
func (o Offer) Capacity() (corev1.ResourceList, error) {
	var err error
	if o.Memory == 0 {
		if o.Memory, err = memoryTotal(); err != nil {
			return nil, err
		}
	}
	if o.CPUs == 0 {
		if o.CPUs, err = online(); err != nil {
			return nil, err
		}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(o.Dir, &disk); err != nil {
		return nil, fmt.Errorf("measuring the file system of %s: %w", o.Dir, err)
	}
	list := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(o.CPUs, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(o.Memory, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(int64(disk.Blocks)*disk.Bsize, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(o.Pods, resource.DecimalSI),
	}
	for _, size := range pageSizes() {
		count, err := readNumber(filepath.Join(pagesDir, fmt.Sprintf("hugepages-%dkB", size/1024), "nr_hugepages"))
		if err != nil {
			return nil, err
		}
		name := corev1.ResourceHugePagesPrefix + resource.NewQuantity(int64(size), resource.BinarySI).String()
		list[corev1.ResourceName(name)] = *resource.NewQuantity(count*int64(size), resource.BinarySI)
	}
	return list, nil
}

// Allocatable is what of a capacity Pods may request: not the last of memory and disk, nor, of ordinary memory, what pages of
// other sizes take.
func Allocatable(capacity corev1.ResourceList) corev1.ResourceList {
	list := capacity.DeepCopy()
	memory := capacity.Memory().Value() - keptMemory
	for name, amount := range capacity {
		if strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) {
			memory -= amount.Value()
		}
	}
	list[corev1.ResourceMemory] = *resource.NewQuantity(max(0, memory), resource.BinarySI)
	disk := capacity.StorageEphemeral().Value()
	list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(disk-disk/keptDiskShare, resource.DecimalSI)
	return list
}

func memoryTotal() (int64, error) {
	content, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return parseMemory(string(content))
}

// parseMemory reads the total of /proc/meminfo, in bytes.
func parseMemory(content string) (int64, error) {
	for line := range strings.Lines(content) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10, nil
		}
	}
	return 0, errors.New("reading the machine's memory: /proc/meminfo has no MemTotal")
}

func online() (int64, error) {
	content, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return 0, err
	}
	return parseSet(strings.TrimSpace(string(content)))
}

// parseSet counts the members of the kernel's notation of sets: 0-3,5.
func parseSet(set string) (int64, error) {
	var count int64
	for part := range strings.SplitSeq(set, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseInt(first, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("parsing the set of CPUs %q: %w", set, err)
		}
		to, err := strconv.ParseInt(last, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("parsing the set of CPUs %q: %w", set, err)
		}
		count += to - from + 1
	}
	return count, nil
}

const pagesDir = "/sys/kernel/mm/hugepages"

// pageSizes are the sizes in bytes of the pages that the machine knows besides its ordinary ones.
func pageSizes() []uint64 {
	entries, err := os.ReadDir(pagesDir)
	if err != nil {
		return nil
	}
	var sizes []uint64
	for _, e := range entries {
		var kilobytes uint64
		if n, _ := fmt.Sscanf(e.Name(), "hugepages-%dkB", &kilobytes); n == 1 {
			sizes = append(sizes, kilobytes<<10)
		}
	}
	return sizes
}

// taskMax is how many processes and threads the machine can have, 0 where it does not say.
func taskMax() int64 {
	var least int64
	for _, file := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		if n, err := readNumber(file); err == nil && n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

func readNumber(path string) (int64, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
}

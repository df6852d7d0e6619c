package node

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	// keptMemory is what Pods may not have, so that the node itself can go on.
	keptMemory = 100 << 20
	// keptDiskShare of the disk is likewise kept: a tenth.
	keptDiskShare = 10
)

func systemInfo(c Config) corev1.NodeSystemInfo {
	info := corev1.NodeSystemInfo{
		MachineID:               firstLine("/etc/machine-id", "/var/lib/dbus/machine-id"),
		SystemUUID:              firstLine("/sys/class/dmi/id/product_uuid", "/etc/machine-id"),
		BootID:                  firstLine("/proc/sys/kernel/random/boot_id"),
		OSImage:                 osImage(),
		OperatingSystem:         goruntime.GOOS,
		Architecture:            goruntime.GOARCH,
		ContainerRuntimeVersion: c.RuntimeName + "://" + c.RuntimeVersion,
		KubeletVersion:          c.KubeletVersion,
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		info.KernelVersion = unix.ByteSliceToString(name.Release[:])
	}
	return info
}

func firstLine(paths ...string) string {
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil {
			if line := strings.TrimSpace(string(data)); line != "" {
				return line
			}
		}
	}
	return ""
}

func osImage() string {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "Linux"
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return "Linux"
}

// machineResources returns what the machine has and what of it Pods may use.
func machineResources(c Config) (capacity, allocatable corev1.ResourceList) {
	cpus, memory := c.CPUs, c.MemoryBytes
	if cpus == 0 {
		cpus = int64(goruntime.NumCPU())
	}
	if memory == 0 {
		memory = memoryTotal()
	}
	capacity = corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(cpus, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(c.MaxPods, resource.DecimalSI),
	}
	allocatable = capacity.DeepCopy()
	allocatable[corev1.ResourceMemory] = *resource.NewQuantity(max(0, memory-keptMemory-addHugePages(capacity, allocatable)), resource.BinarySI)
	var disk unix.Statfs_t
	if unix.Statfs(c.RootDir, &disk) == nil {
		total := int64(disk.Blocks) * disk.Bsize
		capacity[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(total, resource.BinarySI)
		allocatable[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(total-total/keptDiskShare, resource.DecimalSI)
	}
	return capacity, allocatable
}

// addHugePages adds the machine's huge pages and returns the bytes that they take of its memory.
func addHugePages(capacity, allocatable corev1.ResourceList) (bytes int64) {
	dirs, err := filepath.Glob("/sys/kernel/mm/hugepages/hugepages-*kB")
	if err != nil {
		return 0
	}
	for _, dir := range dirs {
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(dir), "hugepages-"), "kB"), 10, 64)
		if err != nil {
			continue
		}
		count, err := strconv.ParseInt(firstLine(filepath.Join(dir, "nr_hugepages")), 10, 64)
		if err != nil {
			continue
		}
		size := resource.NewQuantity(kib<<10, resource.BinarySI)
		name := corev1.ResourceName(corev1.ResourceHugePagesPrefix + size.String())
		total := *resource.NewQuantity(count*kib<<10, resource.BinarySI)
		capacity[name], allocatable[name] = total, total
		bytes += count * kib << 10
	}
	return bytes
}

func memoryTotal() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

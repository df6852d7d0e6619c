package node

import (
	"os"
	goruntime "runtime"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
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
		RunningInUserNamespace:  new(inUserNamespace(firstLine("/proc/self/uid_map"))),
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		info.KernelVersion = unix.ByteSliceToString(name.Release[:])
	}
	return info
}

// inUserNamespace says whether users have other numbers outside, by how they are mapped. Kernels without such namespaces map none.
func inUserNamespace(mapped string) bool {
	return mapped != "" && strings.Join(strings.Fields(mapped), " ") != "0 0 4294967295"
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

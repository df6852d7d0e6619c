package containerd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/kubelet/resources"
)

// host is what the settings depend on of this machine.
type host struct {
	// restrictOOM says that this process may not make others less likely to be killed for memory than itself.
	restrictOOM bool
	// snapshotter is how images become root file systems.
	snapshotter string
	// crun is the path of crun where it is installed.
	crun string
	// hugePages says that their use can be limited.
	hugePages bool
}

func inspect(l layout) (host, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return host{}, err
	}
	capable, err := hasCapability(status, unix.CAP_SYS_RESOURCE)
	if err != nil {
		return host{}, err
	}
	h := host{restrictOOM: !capable, snapshotter: snapshotter(l.root), hugePages: resources.LimitsHugePages()}
	if path, err := exec.LookPath("crun"); err == nil {
		h.crun = path
	}
	return h, nil
}

// hasCapability reads a process's effective capabilities in its /proc status.
func hasCapability(status []byte, capability int) (bool, error) {
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("CapEff:")); ok {
			set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
			return set&(1<<capability) != 0, err
		}
	}
	return false, fmt.Errorf("reading own capabilities: no CapEff in /proc/self/status")
}

// snapshotter is the one that images are in already. At first it is the best that works here, and stays so.
func snapshotter(root string) string {
	for _, name := range []string{"overlayfs", "native"} {
		if _, err := os.Stat(filepath.Join(root, "io.containerd.snapshotter.v1."+name, "metadata.db")); err == nil {
			return name
		}
	}
	if overlayWorks(root) {
		return "overlayfs"
	}
	return "native"
}

// overlayWorks tries an overlay mount: the data directory's file system may itself be one, which cannot be stacked.
func overlayWorks(dir string) bool {
	try, err := os.MkdirTemp(dir, "overlay-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(try)
	for _, name := range []string{"a", "b", "up", "work", "on"} {
		if err := os.Mkdir(filepath.Join(try, name), 0o700); err != nil {
			return false
		}
	}
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s,workdir=%s", filepath.Join(try, "a"), filepath.Join(try, "b"), filepath.Join(try, "up"), filepath.Join(try, "work"))
	if err := unix.Mount("overlay", filepath.Join(try, "on"), "overlay", 0, options); err != nil {
		return false
	}
	return unix.Unmount(filepath.Join(try, "on"), unix.MNT_DETACH) == nil
}

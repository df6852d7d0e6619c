package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// preflight says in one line what a node lacks on this machine and how to get it.
func preflight() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a node needs root: use sudo, or --no-node for the control plane alone")
	}
	var missing []string
	for _, tool := range []string{"iptables", "iptables-restore", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s not found: apt-get install iptables mount (or your system's packages of that name)", strings.Join(missing, ", "))
	}
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		return fmt.Errorf("no cgroups at /sys/fs/cgroup: %w", err)
	}
	return nil
}

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sysctls is where the kernel's settings are.
const sysctls = "/proc/sys"

// forward lets packets pass between Pods and the world, and through the packet filter where they only cross a bridge:
// a Pod may reach a Service that is a Pod on the same bridge, and the answer must come back the same way.
func forward(ipv6 bool) error {
	settings := []string{"net/ipv4/ip_forward"}
	if ipv6 {
		settings = append(settings, "net/ipv6/conf/all/forwarding")
	}
	bridged := "net/bridge/bridge-nf-call-iptables"
	if _, err := os.Stat(filepath.Join(sysctls, bridged)); errors.Is(err, fs.ErrNotExist) {
		if out, err := exec.Command("modprobe", "br_netfilter").CombinedOutput(); err != nil {
			return fmt.Errorf("loading the kernel module br_netfilter: %w: %s", err, strings.TrimSpace(string(out)))
		}
	}
	settings = append(settings, bridged)
	if ipv6 {
		settings = append(settings, "net/bridge/bridge-nf-call-ip6tables")
	}
	for _, s := range settings {
		if err := enable(filepath.Join(sysctls, s)); err != nil {
			return err
		}
	}
	return nil
}

// enable writes 1 unless it is there: /proc/sys may be read-only and right.
func enable(path string) error {
	now, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(now)) == "1" {
		return nil
	}
	return os.WriteFile(path, []byte("1"), 0o644)
}

// loosen lets packets arrive by a link from addresses that this machine would answer by another: two nodes that change over from
// one way to the other do not do so at once. A read-only /proc is no error.
func loosen(link string) {
	_ = os.WriteFile(filepath.Join(sysctls, "net/ipv4/conf", link, "rp_filter"), []byte("2"), 0o644)
}

package conntrack

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// The kernel's settings, as upstream's proxy sets them unless told otherwise.
const (
	perCore, least, most = 32 << 10, 128 << 10, 1 << 20
	// established is how long a connection is remembered on which nothing is said: the kernel's own 5 days fill the table with dead ones.
	established = 24 * 60 * 60
	// closeWait is how long one is that the other side has closed: programs that close late still find the way.
	closeWait = 60 * 60
)

// Tune sets how many connections the kernel remembers, never fewer than it does already, and for how long. What cannot be set is
// in the error, as where the machine's settings are not ours to change; the rest is set.
func Tune() error { return tune("/", runtime.NumCPU()) }

// tune works below a root, for so many processors.
func tune(root string, processors int) error {
	settings := filepath.Join(root, "proc/sys/net/netfilter")
	limit := min(max(processors*perCore, least), most)
	return errors.Join(
		raise(filepath.Join(settings, "nf_conntrack_max"), limit),
		raise(filepath.Join(root, "sys/module/nf_conntrack/parameters/hashsize"), limit/4),
		set(filepath.Join(settings, "nf_conntrack_tcp_timeout_established"), established),
		set(filepath.Join(settings, "nf_conntrack_tcp_timeout_close_wait"), closeWait),
	)
}

func raise(path string, to int) error {
	now, err := read(path)
	if err != nil || now >= to {
		return err
	}
	return write(path, to)
}

func set(path string, to int) error {
	now, err := read(path)
	if err != nil || now == to {
		return err
	}
	return write(path, to)
}

func read(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func write(path string, value int) error {
	return os.WriteFile(path, []byte(strconv.Itoa(value)), 0o644)
}

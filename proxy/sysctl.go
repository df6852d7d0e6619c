package proxy

import (
	"bytes"
	"os"
	"path/filepath"
)

// allowLoopback lets packets of local programs from 127.0.0.1 to a node port
// or host port go out by a link, once they have another destination. A link
// that does not exist yet, or a read-only /proc, is no error: all else works.
func allowLoopback(link string) {
	path := filepath.Join("/proc/sys/net/ipv4/conf", link, "route_localnet")
	if now, err := os.ReadFile(path); err == nil && !bytes.Equal(bytes.TrimSpace(now), []byte("1")) {
		_ = os.WriteFile(path, []byte("1"), 0o644)
	}
}

package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// listen opens the API's socket. If somebody else has its port the error says who, as far as this process may see.
func listen(host string, port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		return listener, nil
	}
	err = fmt.Errorf("listening for the API (--bind-address, --https-port): %w", err)
	if errors.Is(err, unix.EADDRINUSE) {
		err = fmt.Errorf("%w%s", err, listenerOn(port))
	}
	return nil, err
}

// listenerOn names a process that listens on a TCP port in this network namespace, for the end of a sentence; it is empty if none
// can be seen.
func listenerOn(port int) string {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		content, _ := os.ReadFile(table) // without it nothing is known
		for _, line := range strings.Split(string(content), "\n") {
			fields := strings.Fields(line)
			const local, state, inode = 1, 3, 9 // proc_pid_net(5); 0A is LISTEN
			if len(fields) > inode && fields[state] == "0A" && strings.HasSuffix(fields[local], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+fields[inode]+"]"] = true
			}
		}
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && sockets[target] {
			process := filepath.Dir(filepath.Dir(file))
			name, _ := os.ReadFile(filepath.Join(process, "comm"))
			return fmt.Sprintf(" by process %s (%s)", filepath.Base(process), strings.TrimSpace(string(name)))
		}
	}
	return ""
}

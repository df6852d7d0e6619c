package containerd

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// layout is where everything of one data directory is. Sockets have short paths whatever the data directory's is: the
// kernel takes 107 bytes.
type layout struct {
	root         string // what outlives the machine: images, snapshots, metadata
	state        string // what does not: mounts, network namespaces, sockets
	socket       string
	shimSockets  string
	runtimeState string // runc's record of containers
	binaries     string // unpacked programs, a folder for each set
	programs     string // the set in use, a symbolic link
	pipes        string // of commands that are run in containers
	// sandboxSeccomp is the profile of sandboxes of the built-in image.
	sandboxSeccomp string
}

func newLayout(c Config) layout {
	return layout{
		root:         filepath.Join(c.DataDir, "containerd"),
		state:        c.StateDir,
		socket:       filepath.Join(c.StateDir, "containerd.sock"),
		shimSockets:  filepath.Join(c.StateDir, "s"),
		runtimeState: filepath.Join(c.StateDir, "runc"),
		pipes:        filepath.Join(c.StateDir, "exec"),
		binaries:     filepath.Join(c.DataDir, "bin"),
		programs:     filepath.Join(c.DataDir, "bin", "current"),

		sandboxSeccomp: filepath.Join(c.DataDir, "containerd", "pause-seccomp.json"),
	}
}

// StateDir is the default state directory of a data directory: in /run, and of that data directory alone.
func StateDir(dataDir string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(dataDir)))
	return filepath.Join("/run/coracle", hex.EncodeToString(sum[:4]))
}

// Endpoint is the unix socket, without a scheme, on which the containerd of a configuration serves or would serve.
func Endpoint(c Config) string { return newLayout(c.withDefaults()).socket }

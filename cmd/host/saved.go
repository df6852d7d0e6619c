package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-k8s/coracle/cmd/agent"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/cmd/node"
)

// Files in the data directory that keep the options of what last ran there, for those who clean up after it.
const (
	serverOptions = "server.json"
	agentOptions  = "agent.json"
)

// saved is what last ran on a data directory: a server, an agent, or nothing.
type saved struct {
	server *cluster.Options
	agent  *agent.Options
}

// node is how this machine was a node; nil if it was none.
func (s saved) node() *node.Options {
	switch {
	case s.agent != nil:
		return &s.agent.Options
	case s.server != nil && !s.server.ControlPlaneOnly:
		o := s.server.Node()
		return &o
	}
	return nil
}

func (s saved) empty() bool { return s.server == nil && s.agent == nil }

// what names it for people.
func (s saved) what() string {
	if s.agent != nil {
		return "agent"
	}
	return "server"
}

func readSaved(dataDir string) (s saved, err error) {
	if s.server, err = readOptions[cluster.Options](filepath.Join(dataDir, serverOptions)); err != nil {
		return s, err
	}
	s.agent, err = readOptions[agent.Options](filepath.Join(dataDir, agentOptions))
	return s, err
}

// readOptions returns nil where there is no file.
func readOptions[T any](path string) (*T, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	o := new(T)
	if err == nil {
		err = json.Unmarshal(content, o)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the options that ran last from %s: %w", path, err)
	}
	return o, nil
}

func saveOptions(dataDir, name string, o any) error {
	content, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding options: %w", err)
	}
	return writeFile(filepath.Join(dataDir, name), append(content, '\n'), 0o600, -1, -1)
}

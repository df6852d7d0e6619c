package network

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
)

// file is late in the order of names, which is the runtime's order of preference, so that it takes most others' configurations at
// once. Those that come later in that order win when ours is gone.
const file = "99-coracle.conflist"

// Foreign says whether Pods are joined by somebody else's configuration, which wins over ours.
func (n *Network) Foreign() (bool, error) {
	entries, err := os.ReadDir(n.config.ConfDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && theirs(e.Name()) }), err
}

// theirs says whether the runtime would take a file as a network configuration, and it is not ours.
func theirs(name string) bool {
	return slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(name)) && name != file
}

// configuration is what our plugin is told. Its fields are those of cmd/coracle-net.
type configuration struct {
	Type   string `json:"type"`
	Bridge string `json:"bridge"`
	MTU    int    `json:"mtu"`
	// RouteMTU is that of Pods' packets that leave the bridge; 0 is the same.
	RouteMTU int            `json:"routeMTU,omitempty"`
	Subnets  []netip.Prefix `json:"subnets"`
	DataDir  string         `json:"dataDir"`
}

// render is the network configuration that names our plugin.
func render(c configuration) ([]byte, error) {
	c.Type, c.Bridge = "coracle-net", Bridge
	content, err := json.MarshalIndent(map[string]any{"cniVersion": "1.0.0", "name": "coracle", "plugins": []configuration{c}}, "", "  ")
	return append(content, '\n'), err
}

// write makes a file's content what is given. containerd looks at its folder again after a write and after a renaming from
// within, not after a file's arrival from elsewhere: a new file is written in place, a changed one is replaced.
func write(path string, content []byte) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o644)
	case err != nil:
		return err
	case string(old) == string(content):
		return nil
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package localvolumes

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// marker says that a directory is a pool, and which: without it, the disk that the pool is on is not mounted.
const marker = ".coracle-pool"

// open opens the pool, and makes it if that is asked for and it never was. It fails where another disk is in the place of the one that
// the pool is known to be on, or none. A pool that is not known is one from before the machine was installed anew.
func (p *Pool) open(create bool) (*os.Root, error) {
	id, err := p.check()
	if err != nil {
		return nil, err
	}
	if id == "" && !create {
		return nil, fmt.Errorf("%s is not where local volumes were made: is its disk mounted?", p.Dir)
	}
	if id == "" {
		if err := os.MkdirAll(p.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = rand.Text()
		err = errors.Join(root.Chmod(".", 0o700), root.WriteFile(marker, []byte(id+"\n"), 0o600))
	}
	if err == nil && create {
		err = p.remember(id)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// check returns which pool is there, empty for none, unless it must be another.
func (p *Pool) check() (id string, err error) {
	content, err := os.ReadFile(filepath.Join(p.Dir, marker))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id = strings.TrimSpace(string(content))
	known, err := p.known()
	if err != nil {
		return "", err
	}
	switch want := known[p.Dir]; {
	case want == "" || want == id:
		return id, nil
	case id == "":
		return "", fmt.Errorf("%s is not where local volumes were made: is its disk mounted?", p.Dir)
	default:
		return "", fmt.Errorf("%s is another disk than the one where local volumes were made (%s has %s, not %s)", p.Dir, marker, id, want)
	}
}

// known returns the pools that this node has used, by directory.
func (p *Pool) known() (map[string]string, error) {
	all := map[string]string{}
	content, err := os.ReadFile(p.Known)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which disks local volumes are on: %w", err)
	}
	return all, nil
}

// Pools are those that the file known remembers.
func Pools(known string) ([]Pool, error) {
	p := Pool{Known: known}
	all, err := p.known()
	if err != nil {
		return nil, err
	}
	var pools []Pool
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		pools = append(pools, Pool{Dir: dir, Known: known})
	}
	return pools, nil
}

func (p *Pool) remember(id string) error {
	all, err := p.known()
	if err != nil || all[p.Dir] == id {
		return err
	}
	all[p.Dir] = id
	content, err := json.Marshal(all)
	if err != nil {
		return err
	}
	next := p.Known + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, p.Known)
}

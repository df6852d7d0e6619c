package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// pool keeps which address is whose: a symbolic link in dir for each, named by the address and pointing to its owner.
// The kernel makes a link whole or not at all and refuses a second one, so a crash leaves nothing half written.
type pool struct{ dir string }

// last names the address given most recently. Addresses are given in turn, so that one is not used again while
// connections to its former owner linger.
const last = "last-"

// allocate gives owner an address of each subnet. Asked again, it gives the same ones.
func (p pool) allocate(owner string, subnets []subnet) ([]netip.Addr, error) {
	unlock, err := p.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	held, err := p.heldBy(owner)
	if err != nil {
		return nil, err
	}
	var given []netip.Addr
	for _, s := range subnets {
		if i := slices.IndexFunc(held, s.usable); i >= 0 {
			given = append(given, held[i])
			continue
		}
		a, err := p.take(owner, s)
		if err != nil {
			return nil, errors.Join(err, p.drop(owner))
		}
		given = append(given, a)
	}
	return given, nil
}

// release gives back all addresses of owner.
func (p pool) release(owner string) error {
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return p.drop(owner)
}

// take finds a free address, at most once around.
func (p pool) take(owner string, s subnet) (netip.Addr, error) {
	turn := filepath.Join(p.dir, last+s.Addr().String())
	start := s.gateway()
	if text, err := os.Readlink(turn); err == nil {
		if a, err := netip.ParseAddr(text); err == nil && s.usable(a) {
			start = a
		}
	}
	first := s.after(start)
	for a := first; ; {
		err := os.Symlink(owner, filepath.Join(p.dir, a.String()))
		if err == nil {
			return a, relink(a.String(), turn)
		}
		if !errors.Is(err, fs.ErrExist) {
			return netip.Addr{}, err
		}
		if a = s.after(a); a == first {
			return netip.Addr{}, fmt.Errorf("no address is free in %s", s)
		}
	}
}

func (p pool) drop(owner string) error {
	held, err := p.heldBy(owner)
	if err != nil {
		return err
	}
	for _, a := range held {
		if err := os.Remove(filepath.Join(p.dir, a.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// heldBy lists the addresses of owner.
func (p pool) heldBy(owner string) ([]netip.Addr, error) {
	var held []netip.Addr
	err := p.each(func(a netip.Addr, o string) {
		if o == owner {
			held = append(held, a)
		}
	})
	return held, err
}

// owners lists who has an address.
func (p pool) owners() ([]string, error) {
	var owners []string
	err := p.each(func(_ netip.Addr, o string) { owners = append(owners, o) })
	slices.Sort(owners)
	return slices.Compact(owners), err
}

func (p pool) each(do func(netip.Addr, string)) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		a, err := netip.ParseAddr(e.Name())
		if err != nil {
			continue
		}
		if owner, err := os.Readlink(filepath.Join(p.dir, e.Name())); err == nil {
			do(a, owner)
		}
	}
	return nil
}

// usable says why addresses could not be kept.
func (p pool) usable() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	return unix.Access(p.dir, unix.W_OK)
}

// lock excludes other executions of the plugin until the returned function is called.
func (p pool) lock() (func(), error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(p.dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		dir.Close()
		return nil, fmt.Errorf("locking %s: %w", p.dir, err)
	}
	return func() { dir.Close() }, nil
}

// relink makes path a symbolic link to target, replacing one that is there.
func relink(target, path string) error {
	temporary := path + ".new"
	os.Remove(temporary)
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

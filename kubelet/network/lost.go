package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/kubelet/network/attachment"
)

// settled is how old a record of an address is before its Pod's link must be there.
const settled = time.Minute

// releaseLost gives back the addresses of Pods whose links are gone. Whoever deletes a Pod under a foreign configuration asks the
// foreign plugin, which knows nothing of our addresses.
func (n *Network) releaseLost(now time.Time) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	there := map[string]bool{}
	for _, l := range links {
		there[l.Attrs().Name] = true
	}
	if err := releaseWithout(there, n.addresses(), now); err != nil {
		return fmt.Errorf("giving back addresses of Pods that are gone: %w", err)
	}
	return nil
}

// releaseWithout removes the records in dir whose links are not there, but for new ones. A record is a symbolic link, named by the
// address, to its owner; the plugin locks the folder while it looks for a free one.
func releaseWithout(links map[string]bool, dir string, now time.Time) error {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", dir, err)
	}
	entries, err := folder.ReadDir(-1)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		owner, notLink := os.Readlink(path)
		if _, notAddress := netip.ParseAddr(e.Name()); err != nil || notLink != nil || notAddress != nil || !strings.Contains(owner, ":") {
			continue
		}
		if links[attachment.HostLink(owner)] || now.Sub(info.ModTime()) < settled {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

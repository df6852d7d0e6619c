package dns

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
	"github.com/miekg/dns"
	"k8s.io/klog/v2"
)

// resolvers are the servers that the node itself asks, as its resolv.conf
// says at any time.
type resolvers struct {
	path string
	// self is the address of cluster DNS: a node that asks it must not be asked back.
	self netip.Addr

	mu      sync.RWMutex
	servers []netip.AddrPort
}

// list returns the servers, the preferred first.
func (r *resolvers) list() []netip.AddrPort {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.servers
}

// load reads the file. When it is missing, or has no server in it, none is known.
func (r *resolvers) load() error {
	var servers []netip.AddrPort
	config, err := dns.ClientConfigFromFile(r.path)
	if err == nil {
		for _, server := range config.Servers {
			address, err := netip.ParseAddr(server)
			if err == nil && address.Unmap() != r.self && !slices.Contains(servers, netip.AddrPortFrom(address, 53)) {
				servers = append(servers, netip.AddrPortFrom(address, 53))
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers = servers
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("reading %s: %w", r.path, err)
	}
	return nil
}

// watch reads the file again whenever it may have changed, until the context ends.
func (r *resolvers) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", r.path, err)
	}
	defer watcher.Close()
	if err := r.follow(watcher); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.Events:
			if !ok {
				return nil
			}
			if filepath.Base(event.Name) != filepath.Base(r.path) && filepath.Base(event.Name) != filepath.Base(r.target()) {
				continue
			}
			if err := r.follow(watcher); err != nil {
				klog.FromContext(ctx).Error(err, "Following the node's resolvers")
			}
			if err := r.load(); err != nil {
				klog.FromContext(ctx).Error(err, "Reading the node's resolvers")
			}
		case err := <-watcher.Errors:
			klog.FromContext(ctx).Error(err, "Watching the node's resolvers")
		}
	}
}

// follow watches the directories of the file and of what it links to:
// programs that write it put a new one in its place.
func (r *resolvers) follow(watcher *fsnotify.Watcher) error {
	for _, path := range []string{r.path, r.target()} {
		if err := watcher.Add(filepath.Dir(path)); err != nil {
			return fmt.Errorf("watching %s: %w", filepath.Dir(path), err)
		}
	}
	return nil
}

func (r *resolvers) target() string {
	if target, err := filepath.EvalSymlinks(r.path); err == nil {
		return target
	}
	return r.path
}

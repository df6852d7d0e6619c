package service

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Tracker folds changes into pictures. Only what has changed since the last
// picture is folded again. It is safe for concurrent use.
type Tracker struct {
	here string

	mu        sync.Mutex
	services  map[types.NamespacedName]*corev1.Service
	slices    map[types.NamespacedName]map[string]*discoveryv1.EndpointSlice
	hostPorts map[types.UID][]HostPort
	pods      map[types.UID][]netip.Addr
	nodes     map[string][]netip.Addr
	zone      string

	dirty     map[types.NamespacedName]struct{}
	portsNew  bool
	nodesNew  bool
	last      *Snapshot
	listeners []chan struct{}
}

// NewTracker returns a tracker for the node of the given name.
func NewTracker(node string) *Tracker {
	return &Tracker{
		here:      node,
		services:  map[types.NamespacedName]*corev1.Service{},
		slices:    map[types.NamespacedName]map[string]*discoveryv1.EndpointSlice{},
		hostPorts: map[types.UID][]HostPort{},
		pods:      map[types.UID][]netip.Addr{},
		nodes:     map[string][]netip.Addr{},
		dirty:     map[types.NamespacedName]struct{}{},
		last:      &Snapshot{Services: map[types.NamespacedName]*Service{}},
	}
}

// Changes returns a channel that has a value when there may be a new picture
// since the value before was taken. Each call makes another channel.
func (t *Tracker) Changes() <-chan struct{} {
	changes := make(chan struct{}, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, changes)
	return changes
}

// SetService adds or updates a Service.
func (t *Tracker) SetService(service *corev1.Service) {
	name := types.NamespacedName{Namespace: service.Namespace, Name: service.Name}
	t.change(name, func() { t.services[name] = service })
}

// RemoveService forgets a Service.
func (t *Tracker) RemoveService(name types.NamespacedName) {
	t.change(name, func() { delete(t.services, name) })
}

// SetSlice adds or updates an EndpointSlice. One without a Service is kept for later.
func (t *Tracker) SetSlice(slice *discoveryv1.EndpointSlice) {
	name, ok := owner(slice)
	if !ok {
		return
	}
	t.change(name, func() {
		if t.slices[name] == nil {
			t.slices[name] = map[string]*discoveryv1.EndpointSlice{}
		}
		t.slices[name][slice.Name] = slice
	})
}

// RemoveSlice forgets an EndpointSlice.
func (t *Tracker) RemoveSlice(slice *discoveryv1.EndpointSlice) {
	name, ok := owner(slice)
	if !ok {
		return
	}
	t.change(name, func() {
		delete(t.slices[name], slice.Name)
		if len(t.slices[name]) == 0 {
			delete(t.slices, name)
		}
	})
}

// SetPod tells of a Pod; those of other nodes are ignored.
func (t *Tracker) SetPod(pod *corev1.Pod) {
	if pod.Spec.NodeName != t.here {
		return
	}
	addresses, ports := podAddresses(pod), hostPortsOf(pod)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pods[pod.UID] = addresses
	if slices.Equal(t.hostPorts[pod.UID], ports) {
		return
	}
	if len(ports) == 0 {
		delete(t.hostPorts, pod.UID)
	} else {
		t.hostPorts[pod.UID] = ports
	}
	t.portsNew = true
	t.tell()
}

// RemovePod forgets a Pod.
func (t *Tracker) RemovePod(uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pods, uid)
	if _, known := t.hostPorts[uid]; known {
		delete(t.hostPorts, uid)
		t.portsNew = true
		t.tell()
	}
}

// HasPod says whether a Pod of this node has an address, and lives. It may lag behind the Pod's first packets.
func (t *Tracker) HasPod(address netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, addresses := range t.pods {
		if slices.Contains(addresses, address) {
			return true
		}
	}
	return false
}

// SetNode tells of a Node: of each its addresses count, of this one also where it is.
func (t *Tracker) SetNode(node *corev1.Node) {
	addresses := nodeAddresses(node)
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, is := t.nodes[node.Name]; !is || !slices.Equal(known, addresses) {
		t.nodes[node.Name] = addresses
		t.nodesNew = true
		t.tell()
	}
	if zone := node.Labels[corev1.LabelTopologyZone]; node.Name == t.here && zone != t.zone {
		t.zone = zone
		for name := range t.services {
			t.dirty[name] = struct{}{}
		}
		t.tell()
	}
}

// RemoveNode forgets a Node's addresses.
func (t *Tracker) RemoveNode(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.nodes[name]; known {
		delete(t.nodes, name)
		t.nodesNew = true
		t.tell()
	}
}

func nodeAddresses(node *corev1.Node) []netip.Addr {
	var all []netip.Addr
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			all = append(all, parseAll([]string{a.Address})...)
		}
	}
	return all
}

// allNodes lists the addresses of all nodes, in order.
func (t *Tracker) allNodes() []netip.Addr {
	all := slices.Concat(slices.Collect(maps.Values(t.nodes))...)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// Snapshot returns the present picture.
func (t *Tracker) Snapshot() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.dirty) == 0 && !t.portsNew && !t.nodesNew {
		return t.last
	}
	next := &Snapshot{Services: t.last.Services, HostPorts: t.last.HostPorts, Nodes: t.last.Nodes, Zone: t.zone}
	if len(t.dirty) > 0 {
		next.Services = maps.Clone(t.last.Services)
	}
	for name := range t.dirty {
		if object, known := t.services[name]; known {
			next.Services[name] = fold(object, t.slicesOf(name), place{node: t.here, zone: t.zone})
		} else {
			delete(next.Services, name)
		}
	}
	if t.portsNew {
		next.HostPorts = t.allHostPorts()
	}
	if t.nodesNew {
		next.Nodes = t.allNodes()
	}
	clear(t.dirty)
	t.portsNew, t.nodesNew = false, false
	t.last = next
	return next
}

func (t *Tracker) change(name types.NamespacedName, apply func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	apply()
	t.dirty[name] = struct{}{}
	t.tell()
}

func (t *Tracker) tell() {
	for _, listener := range t.listeners {
		select {
		case listener <- struct{}{}:
		default:
		}
	}
}

func (t *Tracker) slicesOf(name types.NamespacedName) []*discoveryv1.EndpointSlice {
	all := slices.Collect(maps.Values(t.slices[name]))
	slices.SortFunc(all, func(a, b *discoveryv1.EndpointSlice) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func owner(slice *discoveryv1.EndpointSlice) (types.NamespacedName, bool) {
	name := slice.Labels[discoveryv1.LabelServiceName]
	return types.NamespacedName{Namespace: slice.Namespace, Name: name}, name != ""
}

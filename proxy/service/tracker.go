package service

import (
	"maps"
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
	zone      string

	dirty     map[types.NamespacedName]struct{}
	portsNew  bool
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
	ports := hostPortsOf(pod)
	t.mu.Lock()
	defer t.mu.Unlock()
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
	if _, known := t.hostPorts[uid]; known {
		delete(t.hostPorts, uid)
		t.portsNew = true
		t.tell()
	}
}

// SetNode tells of a Node; others than this one are ignored.
func (t *Tracker) SetNode(node *corev1.Node) {
	if node.Name != t.here {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	zone := node.Labels[corev1.LabelTopologyZone]
	if zone == t.zone {
		return
	}
	t.zone = zone
	for name := range t.services {
		t.dirty[name] = struct{}{}
	}
	t.tell()
}

// Snapshot returns the present picture.
func (t *Tracker) Snapshot() *Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.dirty) == 0 && !t.portsNew {
		return t.last
	}
	next := &Snapshot{Services: t.last.Services, HostPorts: t.last.HostPorts, Zone: t.zone}
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
	clear(t.dirty)
	t.portsNew = false
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

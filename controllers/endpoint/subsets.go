package endpoint

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	slicelib "k8s.io/endpointslice"
	"k8s.io/endpointslice/util"
	utilnet "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/apis/core"
)

// maxAddresses is how many addresses Endpoints may hold.
const maxAddresses = 1000

// subsetsOf lists the Pods behind a Service in canonical form: addresses with the same ports in one subset, all in
// order.
func subsetsOf(service *corev1.Service, pods []*corev1.Pod) []corev1.EndpointSubset {
	collected := collection{}
	for _, pod := range pods {
		if !util.ShouldPodBeInEndpoints(pod, service.Spec.PublishNotReadyAddresses) {
			continue
		}
		address, ok := addressOf(service, pod)
		if !ok {
			continue
		}
		ready := service.Spec.PublishNotReadyAddresses || core.PodReady(pod)
		if len(service.Spec.Ports) == 0 && core.IsHeadless(service) {
			collected.add(address, ready)
		}
		for i := range service.Spec.Ports {
			port := &service.Spec.Ports[i]
			// A named port that this Pod does not have: no endpoint for it.
			number, err := slicelib.FindPort(pod, port)
			if err != nil {
				continue
			}
			collected.add(address, ready, corev1.EndpointPort{
				Name: port.Name, Port: int32(number), Protocol: port.Protocol, AppProtocol: port.AppProtocol,
			})
		}
	}
	return collected.subsets()
}

// addressOf is the Pod's address of the family that the Service prefers; ok is false if it has none.
func addressOf(service *corev1.Service, pod *corev1.Pod) (address corev1.EndpointAddress, ok bool) {
	six := wantsIPv6(service, pod)
	for _, podIP := range pod.Status.PodIPs {
		ip := utilnet.ParseIPSloppy(podIP.IP)
		if ip == nil || utilnet.IsIPv6(ip) != six {
			continue
		}
		address = corev1.EndpointAddress{
			IP: ip.String(), NodeName: ptr.To(pod.Spec.NodeName),
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		}
		if util.ShouldSetHostname(pod, service) {
			address.Hostname = pod.Spec.Hostname
		}
		return address, true
	}
	return address, false
}

func wantsIPv6(service *corev1.Service, pod *corev1.Pod) bool {
	switch {
	case len(service.Spec.IPFamilies) > 0:
		return service.Spec.IPFamilies[0] == corev1.IPv6Protocol
	case core.HasClusterIP(service):
		return utilnet.IsIPv6String(service.Spec.ClusterIP)
	}
	return utilnet.IsIPv6String(pod.Status.PodIP)
}

// collection holds addresses by key, with the ports that they are reached at.
type collection map[string]*reach

type reach struct {
	address corev1.EndpointAddress
	// ready is by port; the zero port stands for none.
	ready map[portKey]bool
	ports map[portKey]corev1.EndpointPort
}

type portKey struct {
	name        string
	port        int32
	protocol    corev1.Protocol
	appProtocol string
}

func (c collection) add(address corev1.EndpointAddress, ready bool, ports ...corev1.EndpointPort) {
	key := address.IP
	if address.TargetRef != nil {
		key += "/" + string(address.TargetRef.UID)
	}
	r := c[key]
	if r == nil {
		r = &reach{address: address, ready: map[portKey]bool{}, ports: map[portKey]corev1.EndpointPort{}}
		c[key] = r
	}
	if len(ports) == 0 {
		r.set(portKey{}, ready)
	}
	for _, port := range ports {
		key := portKey{port.Name, port.Port, port.Protocol, ptr.Deref(port.AppProtocol, "")}
		r.ports[key] = port
		r.set(key, ready)
	}
}

// set: not ready wins.
func (r *reach) set(key portKey, ready bool) {
	if was, known := r.ready[key]; known {
		ready = ready && was
	}
	r.ready[key] = ready
}

// subsets puts ports with the same addresses together, an address never twice for one port.
func (c collection) subsets() []corev1.EndpointSubset {
	byPort := map[portKey][]string{}
	ports := map[portKey]corev1.EndpointPort{}
	for _, address := range slices.SortedFunc(maps.Keys(c), compareIPs) {
		for key, ready := range c[address].ready {
			byPort[key] = append(byPort[key], fmt.Sprintf("%s=%t", address, ready))
			if port, has := c[address].ports[key]; has {
				ports[key] = port
			}
		}
	}
	groups := map[string][]portKey{}
	for key, addresses := range byPort {
		group := strings.Join(addresses, ",")
		groups[group] = append(groups[group], key)
	}
	subsets := []corev1.EndpointSubset{}
	for _, keys := range groups {
		slices.SortFunc(keys, comparePorts)
		subset := c.withAddresses(keys[0])
		for _, key := range keys {
			if port, has := ports[key]; has {
				subset.Ports = append(subset.Ports, port)
			}
		}
		subsets = append(subsets, subset)
	}
	slices.SortFunc(subsets, compareSubsets)
	return subsets
}

func (c collection) withAddresses(port portKey) corev1.EndpointSubset {
	var subset corev1.EndpointSubset
	for _, key := range slices.SortedFunc(maps.Keys(c), compareIPs) {
		ready, has := c[key].ready[port]
		switch {
		case has && ready:
			subset.Addresses = append(subset.Addresses, c[key].address)
		case has:
			subset.NotReadyAddresses = append(subset.NotReadyAddresses, c[key].address)
		}
	}
	return subset
}

// compareIPs compares keys by address, then UID.
func compareIPs(a, b string) int {
	ipA, uidA, _ := strings.Cut(a, "/")
	ipB, uidB, _ := strings.Cut(b, "/")
	return cmp.Or(slices.Compare(net.ParseIP(ipA), net.ParseIP(ipB)), cmp.Compare(uidA, uidB))
}

func comparePorts(a, b portKey) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.port, b.port), cmp.Compare(a.protocol, b.protocol), cmp.Compare(a.appProtocol, b.appProtocol))
}

func compareSubsets(a, b corev1.EndpointSubset) int {
	first := func(s corev1.EndpointSubset) portKey {
		if len(s.Ports) == 0 {
			return portKey{}
		}
		return portKey{s.Ports[0].Name, s.Ports[0].Port, s.Ports[0].Protocol, ptr.Deref(s.Ports[0].AppProtocol, "")}
	}
	return cmp.Or(comparePorts(first(a), first(b)), cmp.Compare(fmt.Sprint(a.Addresses, a.NotReadyAddresses), fmt.Sprint(b.Addresses, b.NotReadyAddresses)))
}

// truncate cuts the subsets to what Endpoints may hold: ready addresses first, each subset by its share. It reports
// whether it did.
func truncate(subsets []corev1.EndpointSubset) bool {
	ready, unready := 0, 0
	for _, s := range subsets {
		ready += len(s.Addresses)
		unready += len(s.NotReadyAddresses)
	}
	if ready+unready <= maxAddresses {
		return false
	}
	if ready > maxAddresses {
		left := maxAddresses
		for i := range subsets {
			subsets[i].Addresses = share(subsets[i].Addresses, ready, maxAddresses, &left)
			subsets[i].NotReadyAddresses = nil
		}
		return true
	}
	left := maxAddresses - ready
	for i := range subsets {
		subsets[i].NotReadyAddresses = share(subsets[i].NotReadyAddresses, unready, maxAddresses-ready, &left)
	}
	return true
}

func share(addresses []corev1.EndpointAddress, all, most int, left *int) []corev1.EndpointAddress {
	n := int(math.Ceil(float64(len(addresses)) / float64(all) * float64(most)))
	n = min(n, *left, len(addresses))
	*left -= n
	return addresses[:n]
}

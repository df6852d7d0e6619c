package endpointslicemirroring

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/endpointslice/util"
	utilnet "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/controllers/owned"
)

// maxPerSubset is how many addresses of one subset are mirrored.
const maxPerSubset = 1000

// plan is what to do with slices, and what of the Endpoints is left out.
type plan struct {
	create, update, remove []*discoveryv1.EndpointSlice
	invalid, tooMany       int
}

// shape is what one slice has in common: ports and the family of addresses.
type shape struct {
	ports  util.PortMapKey
	family discoveryv1.AddressType
}

// decide makes one slice of all addresses with the same ports and family. Slices that do not fit are used for others
// of their family before they are deleted.
func decide(source *corev1.Endpoints, existing []*discoveryv1.EndpointSlice) plan {
	var p plan
	wanted := p.shapes(source)
	have := map[shape][]*discoveryv1.EndpointSlice{}
	for _, slice := range existing {
		key := shape{util.NewPortMapKey(slice.Ports), slice.AddressType}
		if wanted[key] == nil {
			p.remove = append(p.remove, slice)
			continue
		}
		have[key] = append(have[key], slice)
	}
	for key, slice := range wanted {
		if len(have[key]) == 0 {
			p.create = append(p.create, slice)
			continue
		}
		first := have[key][0]
		p.remove = append(p.remove, have[key][1:]...)
		if same(first, slice) {
			continue
		}
		p.update = append(p.update, over(first, slice))
	}
	p.reuse()
	return p
}

// reuse turns creations into updates of slices that would be deleted.
func (p *plan) reuse() {
	p.create = slices.DeleteFunc(p.create, func(slice *discoveryv1.EndpointSlice) bool {
		i := slices.IndexFunc(p.remove, func(old *discoveryv1.EndpointSlice) bool { return old.AddressType == slice.AddressType })
		if i < 0 {
			return false
		}
		p.update = append(p.update, over(p.remove[i], slice))
		p.remove = slices.Delete(p.remove, i, i+1)
		return true
	})
}

// over puts wanted into the place of an existing slice.
func over(existing, wanted *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	slice := wanted.DeepCopy()
	slice.GenerateName, slice.Name = "", existing.Name
	slice.UID, slice.ResourceVersion = existing.UID, existing.ResourceVersion
	return slice
}

func same(existing, wanted *discoveryv1.EndpointSlice) bool {
	return apiequality.Semantic.DeepEqual(sorted(existing.Endpoints), wanted.Endpoints) &&
		apiequality.Semantic.DeepEqual(existing.Labels, wanted.Labels) &&
		apiequality.Semantic.DeepEqual(existing.Annotations, wanted.Annotations) &&
		apiequality.Semantic.DeepEqual(existing.OwnerReferences, wanted.OwnerReferences)
}

func sorted(endpoints []discoveryv1.Endpoint) []discoveryv1.Endpoint {
	return slices.SortedFunc(slices.Values(endpoints), func(a, b discoveryv1.Endpoint) int {
		return cmp.Or(cmp.Compare(a.Addresses[0], b.Addresses[0]), cmp.Compare(target(a), target(b)))
	})
}

func target(e discoveryv1.Endpoint) string {
	if e.TargetRef == nil {
		return ""
	}
	return string(e.TargetRef.UID)
}

// shapes returns the slices that the Endpoints come to, and counts what is left out.
func (p *plan) shapes(source *corev1.Endpoints) map[shape]*discoveryv1.EndpointSlice {
	wanted := map[shape]*discoveryv1.EndpointSlice{}
	for _, subset := range source.Subsets {
		ports := portsOf(subset.Ports)
		added := 0
		add := func(address corev1.EndpointAddress, ready bool) {
			if added >= maxPerSubset {
				p.tooMany++
				return
			}
			endpoint, family, ok := endpointOf(address, ready)
			if !ok {
				p.invalid++
				return
			}
			key := shape{util.NewPortMapKey(ports), family}
			if wanted[key] == nil {
				wanted[key] = newSlice(source, ports, family)
			}
			wanted[key].Endpoints = append(wanted[key].Endpoints, endpoint)
			added++
		}
		for _, address := range subset.Addresses {
			add(address, true)
		}
		for _, address := range subset.NotReadyAddresses {
			add(address, false)
		}
	}
	for _, slice := range wanted {
		slice.Endpoints = sorted(slice.Endpoints)
	}
	return wanted
}

func portsOf(ports []corev1.EndpointPort) []discoveryv1.EndpointPort {
	all := []discoveryv1.EndpointPort{}
	for _, port := range ports {
		all = append(all, discoveryv1.EndpointPort{
			Name: ptr.To(port.Name), Port: ptr.To(port.Port), Protocol: ptr.To(port.Protocol), AppProtocol: port.AppProtocol,
		})
	}
	return all
}

// endpointOf: ok is false for what is no IP address.
func endpointOf(address corev1.EndpointAddress, ready bool) (endpoint discoveryv1.Endpoint, family discoveryv1.AddressType, ok bool) {
	ip := utilnet.ParseIPSloppy(address.IP)
	if ip == nil {
		return endpoint, "", false
	}
	family = discoveryv1.AddressTypeIPv4
	if ip.To4() == nil {
		family = discoveryv1.AddressTypeIPv6
	}
	endpoint = discoveryv1.Endpoint{
		Addresses:  []string{ip.String()},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		NodeName:   address.NodeName, TargetRef: address.TargetRef,
	}
	if address.Hostname != "" {
		endpoint.Hostname = &address.Hostname
	}
	return endpoint, family, true
}

func newSlice(source *corev1.Endpoints, ports []discoveryv1.EndpointPort, family discoveryv1.AddressType) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: source.Namespace, GenerateName: prefix(source.Name),
			Labels: map[string]string{}, Annotations: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{owned.Reference(source, corev1.SchemeGroupVersion.WithKind("Endpoints"))},
		},
		AddressType: family, Ports: ports,
	}
	maps.Copy(slice.Labels, source.Labels)
	slice.Labels[discoveryv1.LabelServiceName] = source.Name
	slice.Labels[discoveryv1.LabelManagedBy] = managedBy
	maps.Copy(slice.Annotations, source.Annotations)
	delete(slice.Annotations, corev1.EndpointsLastChangeTriggerTime)
	delete(slice.Annotations, corev1.LastAppliedConfigAnnotation)
	return slice
}

func prefix(name string) string {
	if dashed := name + "-"; len(validation.NameIsDNSSubdomain(dashed, true)) == 0 {
		return dashed
	}
	return name
}

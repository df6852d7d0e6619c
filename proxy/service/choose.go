package service

import (
	"net/netip"
	"slices"
)

// choose decides where packets to a port may go from here: to ready
// endpoints, those that hints keep close if there are any such; when none is
// ready, to those that end but still serve (KEP-1669).
func (p *Port) choose(s *Service, here place) {
	var all []candidate
	for i := range s.Endpoints {
		if number, ok := s.Endpoints[i].number(p); ok {
			all = append(all, candidate{&s.Endpoints[i], Target{
				AddrPort: netip.AddrPortFrom(s.Endpoints[i].Address, number),
				Local:    s.Endpoints[i].Node != "" && s.Endpoints[i].Node == here.node,
			}})
		}
	}
	p.Serving = targets(all, func(c candidate) bool { return c.Serving || c.Ready })
	leaving := func(c candidate) bool { return c.Serving && c.Terminating }
	if p.usesCluster(s) {
		near := closeness(all, here)
		p.Cluster = targets(all, func(c candidate) bool { return c.Ready && near(c) })
		if len(p.Cluster) == 0 {
			p.Cluster = targets(all, leaving)
		}
	}
	if s.InternalLocal || s.ExternalLocal {
		p.Local = targets(all, func(c candidate) bool { return c.Local && c.Ready })
		if len(p.Local) == 0 {
			p.Local = targets(all, func(c candidate) bool { return c.Local && leaving(c) })
		}
	}
	p.HasEndpoints = slices.ContainsFunc(all, func(c candidate) bool { return c.Ready || leaving(c) })
}

// usesCluster says whether any traffic to the port may leave the node. That
// from the node and its Pods to external addresses always may.
func (p *Port) usesCluster(s *Service) bool { return !s.InternalLocal || s.External }

type candidate struct {
	*Endpoint
	Target
}

func targets(all []candidate, wanted func(candidate) bool) []Target {
	var chosen []Target
	for _, c := range all {
		if wanted(c) {
			chosen = append(chosen, c.Target)
		}
	}
	return chosen
}

// number is the port of an endpoint that a Service's port leads to.
func (e *Endpoint) number(p *Port) (uint16, bool) {
	for _, port := range e.Ports {
		if port.Name == p.Name && port.Protocol == p.Protocol {
			if port.Number == 0 {
				return p.Port, true
			}
			return port.Number, true
		}
	}
	return 0, false
}

// closeness reads the hints: they hold only if every ready endpoint has one,
// and one of them names this node or zone.
func closeness(all []candidate, here place) func(candidate) bool {
	forNode := func(c candidate) []string { return c.ForNodes }
	forZone := func(c candidate) []string { return c.ForZones }
	if hinted(all, forNode, here.node) {
		return func(c candidate) bool { return slices.Contains(c.ForNodes, here.node) }
	}
	if hinted(all, forZone, here.zone) {
		return func(c candidate) bool { return slices.Contains(c.ForZones, here.zone) }
	}
	return func(candidate) bool { return true }
}

func hinted(all []candidate, hints func(candidate) []string, name string) bool {
	found := false
	for _, c := range all {
		if !c.Ready {
			continue
		}
		if len(hints(c)) == 0 {
			return false
		}
		found = found || slices.Contains(hints(c), name)
	}
	return found && name != ""
}

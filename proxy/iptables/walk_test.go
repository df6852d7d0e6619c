package iptables

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/internal/packets"
	"github.com/coracle-k8s/coracle/proxy/service"
)

// TestPackets walks the suite's packets through the rendered rules.
func TestPackets(t *testing.T) {
	packets.Run(t, func(snapshot *service.Snapshot, p packets.Packet) []string {
		w := &walk{t: t, chains: map[string][]string{}, on: p.On}
		node := testNode()
		if p.On.Foreign {
			node.PodNetwork = PodNetwork{}
		}
		for _, chain := range render(snapshot, node, map[types.NamespacedName]*part{}) {
			w.chains[chain.Table+" "+chain.Name] = strings.Split(chain.Rules, "\n")
		}
		w.lead(false)
		if p.On.Refused.IsValid() {
			w.chains["filter FORWARD"] = append(w.chains["filter FORWARD"], "-d "+p.On.Refused.String()+" -j DROP")
		}
		w.lead(true)
		return w.send(p)
	})
}

// lead adds what leads from the kernel's chains to ours, before all others' rules or behind.
func (k *walk) lead(last bool) {
	for _, j := range jumps {
		if from := j.table + " " + j.from; j.last == last {
			k.chains[from] = append(k.chains[from], j.rule)
		}
	}
}

func renderAnew(snapshot *service.Snapshot) Rules {
	return render(snapshot, testNode(), map[types.NamespacedName]*part{})
}

func testNode() Node {
	return Node{
		ClusterCIDR: packets.ClusterCIDR, ServiceCIDR: packets.ServiceCIDR,
		DNSAddress: packets.DNSAddress, DNSPort: packets.DNSPort, PodNetwork: PodNetwork{InUse: true, TunnelPort: packets.TunnelPort},
	}
}

// walk is as much of the kernel's packet filter as our rules use. Where
// there is a choice by chance it goes both ways.
type walk struct {
	t      *testing.T
	chains map[string][]string
	on     packets.Machine
}

// packet is one on its way.
type packet struct {
	from, to netip.AddrPort
	protocol string
	original netip.Addr
	marked   bool
	dnat     bool
	local    bool
	verdict  string
}

func (k *walk) send(p packets.Packet) []string {
	first := packet{from: netip.AddrPortFrom(p.From, 40000), to: p.To, protocol: p.Protocol, original: p.To.Addr()}
	origin := "PREROUTING"
	if slices.Contains(packets.Local, p.From) {
		origin, first.local = "OUTPUT", true
	}
	var ends []string
	for _, routed := range k.pass("nat", origin, first) {
		hooks := []string{"FORWARD"}
		switch here := slices.Contains(packets.Local, routed.to.Addr()); {
		case first.local && here:
			hooks = []string{"OUTPUT", "INPUT"}
		case first.local:
			hooks = []string{"OUTPUT"}
		case here:
			hooks = []string{"INPUT"}
		}
		ends = append(ends, k.finish(routed, hooks)...)
	}
	return ends
}

func (k *walk) finish(p packet, hooks []string) []string {
	for _, hook := range hooks {
		p.verdict = ""
		p = k.pass("filter", hook, p)[0]
		if p.verdict == "" && hook == "FORWARD" && k.on.ForwardDrops {
			p.verdict = "DROP"
		}
		switch p.verdict {
		case "REJECT":
			return []string{"reject"}
		case "DROP":
			return []string{"drop"}
		}
	}
	if slices.Contains(hooks, "INPUT") {
		return []string{"to " + p.to.String()}
	}
	p.verdict = ""
	if p = k.pass("nat", "POSTROUTING", p)[0]; p.verdict == "MASQUERADE" {
		return []string{"to " + p.to.String() + " masqueraded"}
	}
	return []string{"to " + p.to.String()}
}

// pass returns the packets that may come out of a chain; verdict is set on those that are decided.
func (k *walk) pass(table, chain string, p packet) []packet {
	open := []packet{p}
	var decided []packet
	for _, rule := range k.chains[table+" "+chain] {
		if rule == "" {
			continue
		}
		var next []packet
		for _, p := range open {
			matches, maybe, target := k.match(rule, p)
			if !matches || maybe {
				next = append(next, p)
			}
			if !matches {
				continue
			}
			for _, after := range k.act(table, target, p) {
				switch after.verdict {
				case "":
					next = append(next, after)
				case "RETURN":
					after.verdict = ""
					decided = append(decided, after)
				default:
					decided = append(decided, after)
				}
			}
		}
		open = next
	}
	return append(open, decided...)
}

func (k *walk) act(table string, target []string, p packet) []packet {
	switch target[0] {
	case "MARK":
		p.marked = target[2] == mark
	case "DNAT":
		p.to, p.dnat, p.verdict = netip.MustParseAddrPort(target[2]), true, "DNAT"
	case "ACCEPT", "DROP", "REJECT", "MASQUERADE", "RETURN":
		p.verdict = target[0]
	case "-g":
		// What comes out of the chain without a verdict does not come back here.
		after := k.act(table, target[1:], p)
		for i := range after {
			if after[i].verdict == "" {
				after[i].verdict = "RETURN"
			}
		}
		return after
	default:
		if _, exists := k.chains[table+" "+target[0]]; !exists {
			k.t.Fatalf("no chain %s in %s", target[0], table)
		}
		return k.pass(table, target[0], p)
	}
	return []packet{p}
}

// match says whether a rule matches; maybe, when that is a matter of chance or of the past.
func (k *walk) match(rule string, p packet) (matches, maybe bool, target []string) {
	before, comment, _ := strings.Cut(rule, `--comment "`)
	_, after, _ := strings.Cut(comment, `"`)
	words := strings.Fields(before + after)
	matches = true
	negate := false
	check := func(holds bool) { matches = matches && holds != negate; negate = false }
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "!":
			negate = true
			continue
		case "-s":
			check(netip.MustParsePrefix(value).Contains(p.from.Addr()))
		case "-d":
			check(netip.MustParsePrefix(value).Contains(p.to.Addr()))
		case "-p":
			check(value == p.protocol)
		case "-i":
			check(value == "lo" && p.local)
		case "-o":
			check(value == "lo" && slices.Contains(packets.Local, p.to.Addr()))
		case "--dport":
			check(value == strconv.Itoa(int(p.to.Port())))
		case "--dst-type":
			check(slices.Contains(packets.Local, p.to.Addr()))
		case "--src-type":
			check(slices.Contains(packets.Local, p.from.Addr()))
		case "--mark":
			check(p.marked)
		case "--ctstate":
			states := strings.Split(value, ",")
			check(slices.Contains(states, "NEW") || p.dnat && slices.Contains(states, "DNAT"))
		case "--ctorigdst":
			check(netip.MustParsePrefix(value).Contains(p.original))
		case "--probability", "--update":
			maybe = true
		case "-j":
			return matches, maybe, words[i+1:]
		case "-g":
			return matches, maybe, words[i:]
		}
	}
	k.t.Fatalf("no target in %s", rule)
	return false, false, nil
}

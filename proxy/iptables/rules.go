// Package iptables makes the kernel's packet filter lead Services to their
// endpoints, by iptables.
package iptables

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Prefix begins the name of every chain of ours, and of nobody else's.
const Prefix = "CORACLE-"

// The tables that have chains of ours.
const (
	tableNAT    = "nat"
	tableFilter = "filter"
)

// The chains that always exist.
const (
	chainServices    = Prefix + "SERVICES"
	chainNodePorts   = Prefix + "NODEPORTS"
	chainHostPorts   = Prefix + "HOSTPORTS"
	chainPostrouting = Prefix + "POSTROUTING"
	chainMark        = Prefix + "MARK"
	chainInput       = Prefix + "INPUT"
	chainForward     = Prefix + "FORWARD"
	chainNew         = Prefix + "NEW"
	chainPods        = Prefix + "PODS"
	chainTunnel      = Prefix + "TUNNEL"
)

// mark is set on packets that must leave with an address of the node.
const mark = "0x4000/0x4000"

// Chain is a chain of ours and its rules, a line each, as iptables-save would
// print them without "-A" and the chain's name.
type Chain struct {
	Table, Name string
	Rules       string
}

// Rules are all chains of ours. Chains come before those that lead to them
// are read: order does not matter for meaning, only for a stable output.
type Rules []Chain

// jump leads from a chain of the kernel into one of ours.
type jump struct {
	table, from string
	// rule is the match and the target, as iptables-save prints them.
	rule string
	// last belongs behind all rules of others, which are thereby heeded first; the rest before all.
	last bool
}

// jumps are in the kernel's chains as long as the proxy's rules exist, those to the front in this order.
var jumps = []jump{
	{tableNAT, "PREROUTING", comment("coracle services") + " -j " + chainServices, false},
	{tableNAT, "OUTPUT", comment("coracle services") + " -j " + chainServices, false},
	{tableNAT, "POSTROUTING", comment("coracle masquerading") + " -j " + chainPostrouting, false},
	{tableFilter, "INPUT", "-m conntrack --ctstate NEW " + comment("coracle services") + " -j " + chainNew, false},
	{tableFilter, "FORWARD", "-m conntrack --ctstate NEW " + comment("coracle services") + " -j " + chainNew, false},
	{tableFilter, "OUTPUT", "-m conntrack --ctstate NEW " + comment("coracle services") + " -j " + chainNew, false},
	{tableFilter, "INPUT", comment("coracle node") + " -j " + chainInput, false},
	{tableFilter, "FORWARD", comment("coracle forwarding") + " -j " + chainForward, false},
	{tableFilter, "FORWARD", comment("coracle pods") + " -j " + chainPods, true},
}

// builder collects the rules of one chain.
type builder struct{ rules []string }

func (b *builder) add(parts ...string) {
	b.rules = append(b.rules, strings.Join(parts, " "))
}

// chain returns the rules as a chain.
func (b *builder) chain(table, name string) Chain {
	return Chain{table, name, strings.Join(b.rules, "\n")}
}

// comment quotes as iptables-save does: not a single word. Names of Services need no escaping.
func comment(text string) string {
	if strings.Trim(text, plain) == "" {
		return "-m comment --comment " + text
	}
	return `-m comment --comment "` + text + `"`
}

// plain are the characters that need no quotes.
const plain = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// chainName makes a name that is the same for the same things, and fits the
// kernel's limit of 28 characters.
func chainName(kind string, of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return Prefix + kind + "-" + base32.StdEncoding.EncodeToString(sum[:])[:16]
}

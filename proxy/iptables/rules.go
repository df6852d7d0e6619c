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
	// rule is the match and the target, as arguments.
	rule []string
}

// jumps are in the kernel's chains as long as the proxy's rules exist.
var jumps = []jump{
	{tableNAT, "PREROUTING", []string{"-m", "comment", "--comment", "coracle services", "-j", chainServices}},
	{tableNAT, "OUTPUT", []string{"-m", "comment", "--comment", "coracle services", "-j", chainServices}},
	{tableNAT, "POSTROUTING", []string{"-m", "comment", "--comment", "coracle masquerading", "-j", chainPostrouting}},
	{tableFilter, "INPUT", []string{"-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", "coracle services", "-j", chainNew}},
	{tableFilter, "FORWARD", []string{"-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", "coracle services", "-j", chainNew}},
	{tableFilter, "OUTPUT", []string{"-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", "coracle services", "-j", chainNew}},
	{tableFilter, "INPUT", []string{"-m", "comment", "--comment", "coracle node", "-j", chainInput}},
	{tableFilter, "FORWARD", []string{"-m", "comment", "--comment", "coracle forwarding", "-j", chainForward}},
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

// comment quotes as iptables-save does. Names of Services need no escaping.
func comment(text string) string { return `-m comment --comment "` + text + `"` }

// chainName makes a name that is the same for the same things, and fits the
// kernel's limit of 28 characters.
func chainName(kind string, of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return Prefix + kind + "-" + base32.StdEncoding.EncodeToString(sum[:])[:16]
}

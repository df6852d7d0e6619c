package iptables

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Backend keeps the kernel's rules as the last snapshot wants them. It is for
// one caller at a time.
type Backend struct {
	node Node
	memo map[types.NamespacedName]*part
	// known are the rules in the kernel, by table and chain; nil when not known. check says that others may have changed them.
	known   map[chainKey]string
	check   bool
	writers writers
}

// New returns a backend that has not looked at the kernel yet.
func New(node Node) *Backend {
	return &Backend{node: node, memo: map[types.NamespacedName]*part{}}
}

// SetPodNetwork says what the rules from the next Apply on are to do for the Pod network.
func (b *Backend) SetPodNetwork(n PodNetwork) { b.node.PodNetwork = n }

// Check makes the next Apply look at the kernel again, and put back what others have changed.
func (b *Backend) Check() { b.check = true }

// Stats says how much an Apply had to do.
type Stats struct {
	// Chains is how many there are, Written and Deleted how many changed.
	Chains, Written, Deleted int
	// Restored is how much that had been there others had changed: chains of ours, and rules that lead to them.
	Restored int
}

// Apply makes the kernel's rules those of the snapshot: in one transaction for
// each table, with only the chains that differ. The first time, after an error
// and after Check it looks at what is there. Chains that are not ours are never touched.
func (b *Backend) Apply(ctx context.Context, snapshot *service.Snapshot) (Stats, error) {
	wanted := render(snapshot, b.node, b.memo)
	restored, lead := 0, func(string, *bytes.Buffer) {}
	if before := b.known; before == nil || b.check {
		found, err := read(ctx)
		if err != nil {
			return Stats{}, err
		}
		b.known, restored = found.chains, changed(before, found.chains)
		lead = func(table string, out *bytes.Buffer) {
			if missing := found.lead(table, out); before != nil {
				restored += missing
			}
		}
	}
	input, stats := transaction(b.known, wanted, lead)
	stats.Restored = restored
	if len(input) > 0 {
		if err := b.writers.restore(ctx, input); err != nil {
			b.known = nil
			return stats, err
		}
	}
	b.known, b.check = texts(wanted), false
	return stats, nil
}

// changed is how many of the chains are no longer as they were.
func changed(before, after map[chainKey]string) (n int) {
	for key, text := range before {
		if now, exists := after[key]; !exists || now != text {
			n++
		}
	}
	return n
}

// transaction writes the input for iptables-restore that turns one set of chains into another, and what leads to them.
func transaction(known map[chainKey]string, wanted Rules, lead func(table string, out *bytes.Buffer)) ([]byte, Stats) {
	stats := Stats{Chains: len(wanted)}
	var out bytes.Buffer
	kept := make(map[chainKey]bool, len(wanted))
	for _, chain := range wanted {
		kept[chainKey{chain.Table, chain.Name}] = true
	}
	for _, table := range []string{tableNAT, tableFilter} {
		var declarations, rules, deletions bytes.Buffer
		for _, chain := range wanted {
			if chain.Table != table {
				continue
			}
			text, exists := known[chainKey{table, chain.Name}]
			if exists && text == chain.Rules {
				continue
			}
			stats.Written++
			declare(&declarations, chain.Name)
			if chain.Rules == "" {
				continue
			}
			for rule := range strings.SplitSeq(chain.Rules, "\n") {
				rules.WriteString("-A " + chain.Name + " " + rule + "\n")
			}
		}
		lead(table, &rules)
		for _, name := range gone(known, kept, table) {
			stats.Deleted++
			declare(&declarations, name)
			deletions.WriteString("-X " + name + "\n")
		}
		if declarations.Len()+rules.Len() == 0 {
			continue
		}
		out.WriteString("*" + table + "\n")
		declarations.WriteTo(&out)
		rules.WriteTo(&out)
		deletions.WriteTo(&out)
		out.WriteString("COMMIT\n")
	}
	return out.Bytes(), stats
}

// declare empties a chain, or makes it.
func declare(out *bytes.Buffer, name string) { out.WriteString(":" + name + " - [0:0]\n") }

func gone(known map[chainKey]string, kept map[chainKey]bool, table string) []string {
	var names []string
	for key := range known {
		if key.table == table && !kept[key] {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	return names
}

func texts(rules Rules) map[chainKey]string {
	all := make(map[chainKey]string, len(rules))
	for _, chain := range rules {
		all[chainKey{chain.Table, chain.Name}] = chain.Rules
	}
	return all
}

// Cleanup removes every chain of ours and what leads to them. It does nothing
// where there are none, or no iptables.
func Cleanup(ctx context.Context) error {
	if _, err := exec.LookPath("iptables-restore"); err != nil {
		return nil
	}
	found, err := read(ctx)
	if err != nil || len(found.chains) == 0 {
		return err
	}
	input, _ := transaction(found.chains, nil, found.unlead)
	return new(writers).restore(ctx, input)
}

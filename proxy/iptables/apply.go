package iptables

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/coreos/go-iptables/iptables"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/service"
)

// Backend keeps the kernel's rules as the last snapshot wants them. It is for
// one caller at a time.
type Backend struct {
	node Node
	memo map[types.NamespacedName]*part
	// known are the rules in the kernel, by table and chain; nil when not known.
	known map[chainKey]string
}

type chainKey struct{ table, name string }

// New returns a backend that has not looked at the kernel yet.
func New(node Node) *Backend {
	return &Backend{node: node, memo: map[types.NamespacedName]*part{}}
}

// SetMasquerade says whether the rules from the next Apply on give Pods'
// packets that leave the cluster the node's address.
func (b *Backend) SetMasquerade(on bool) { b.node.Masquerade = on }

// Stats says how much an Apply had to do.
type Stats struct {
	// Chains is how many there are, Written and Deleted how many changed.
	Chains, Written, Deleted int
}

// Apply makes the kernel's rules those of the snapshot: in one transaction,
// with only the chains that differ. The first time, and after an error, it
// looks at what is there. Chains that are not ours are never touched.
func (b *Backend) Apply(ctx context.Context, snapshot *service.Snapshot) (Stats, error) {
	wanted := render(snapshot, b.node, b.memo)
	if b.known == nil {
		known, err := read(ctx)
		if err != nil {
			return Stats{}, err
		}
		b.known = known
		if err := b.prepare(ctx, wanted); err != nil {
			b.known = nil
			return Stats{}, err
		}
	}
	input, stats := transaction(b.known, wanted)
	if stats.Written+stats.Deleted > 0 {
		if err := restore(ctx, input); err != nil {
			b.known = nil
			return stats, err
		}
	}
	b.known = texts(wanted)
	return stats, nil
}

// prepare writes the chains before it makes the kernel's chains lead to them.
func (b *Backend) prepare(ctx context.Context, wanted Rules) error {
	input, stats := transaction(b.known, wanted)
	if stats.Written+stats.Deleted > 0 {
		if err := restore(ctx, input); err != nil {
			return err
		}
	}
	b.known = texts(wanted)
	ipt, err := open()
	if err != nil {
		return err
	}
	for _, j := range slices.Backward(jumps) {
		if err := ipt.InsertUnique(j.table, j.from, 1, j.rule...); err != nil {
			return fmt.Errorf("leading %s to our chains: %w", j.from, err)
		}
	}
	return nil
}

func open() (*iptables.IPTables, error) {
	ipt, err := iptables.New(iptables.Timeout(5))
	if err != nil {
		return nil, fmt.Errorf("finding iptables: %w", err)
	}
	return ipt, nil
}

// transaction writes the input for iptables-restore that turns one set of chains into another.
func transaction(known map[chainKey]string, wanted Rules) ([]byte, Stats) {
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
		for _, name := range gone(known, kept, table) {
			stats.Deleted++
			declare(&declarations, name)
			deletions.WriteString("-X " + name + "\n")
		}
		if declarations.Len() == 0 {
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

func restore(ctx context.Context, input []byte) error {
	cmd := exec.CommandContext(ctx, "iptables-restore", "--noflush", "--wait", "5")
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("restoring %d bytes of rules: %w: %s", len(input), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// read returns the chains of ours that the kernel has.
func read(ctx context.Context) (map[chainKey]string, error) {
	known := map[chainKey]string{}
	for _, table := range []string{tableNAT, tableFilter} {
		cmd := exec.CommandContext(ctx, "iptables-save", "-t", table)
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("reading the rules of table %s: %w", table, err)
		}
		parse(string(out), table, known)
	}
	return known, nil
}

// parse adds the chains of ours in the output of iptables-save.
func parse(saved, table string, known map[chainKey]string) {
	rules := map[string][]string{}
	for line := range strings.Lines(saved) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, ":"); ok && strings.HasPrefix(name, Prefix) {
			name, _, _ = strings.Cut(name, " ")
			rules[name] = nil
		}
		if rule, ok := strings.CutPrefix(line, "-A "); ok && strings.HasPrefix(rule, Prefix) {
			name, text, _ := strings.Cut(rule, " ")
			rules[name] = append(rules[name], text)
		}
	}
	for name, lines := range rules {
		known[chainKey{table, name}] = strings.Join(lines, "\n")
	}
}

// Cleanup removes every chain of ours and what leads to them. It does nothing
// where there are none, or no iptables.
func Cleanup(ctx context.Context) error {
	if _, err := exec.LookPath("iptables"); err != nil {
		return nil
	}
	known, err := read(ctx)
	if err != nil || len(known) == 0 {
		return err
	}
	ipt, err := open()
	if err != nil {
		return err
	}
	for _, j := range jumps {
		if !haveChain(known, j) {
			continue
		}
		for {
			exists, err := ipt.Exists(j.table, j.from, j.rule...)
			if err != nil || !exists {
				break
			}
			if err := ipt.Delete(j.table, j.from, j.rule...); err != nil {
				return fmt.Errorf("removing what leads from %s to our chains: %w", j.from, err)
			}
		}
	}
	input, _ := transaction(known, nil)
	return restore(ctx, input)
}

// haveChain says whether the target of a jump exists: iptables cannot check a rule to one that does not.
func haveChain(known map[chainKey]string, j jump) bool {
	_, exists := known[chainKey{j.table, j.rule[len(j.rule)-1]}]
	return exists
}

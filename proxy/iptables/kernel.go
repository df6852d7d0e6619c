package iptables

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// kernel is what there is of ours in the kernel.
type kernel struct {
	// chains are our own, with their rules, and lines those of the kernel's chains, ours among them.
	chains map[chainKey]string
	lines  map[chainKey][]string
}

type chainKey struct{ table, name string }

// read looks at the kernel.
func read(ctx context.Context) (kernel, error) {
	k := kernel{chains: map[chainKey]string{}, lines: map[chainKey][]string{}}
	for _, table := range []string{tableNAT, tableFilter} {
		out, err := exec.CommandContext(ctx, "iptables-save", "-t", table).Output()
		if err != nil {
			return kernel{}, fmt.Errorf("reading the rules of table %s: %w", table, err)
		}
		k.parse(string(out), table)
	}
	return k, nil
}

// parse adds what is of interest in the output of iptables-save.
func (k kernel) parse(saved, table string) {
	rules := map[string][]string{}
	for line := range strings.Lines(saved) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, ":"); ok && strings.HasPrefix(name, Prefix) {
			name, _, _ = strings.Cut(name, " ")
			rules[name] = nil
		}
		rule, ok := strings.CutPrefix(line, "-A ")
		if !ok {
			continue
		}
		name, text, _ := strings.Cut(rule, " ")
		if strings.HasPrefix(name, Prefix) {
			rules[name] = append(rules[name], text)
		} else {
			k.lines[chainKey{table, name}] = append(k.lines[chainKey{table, name}], text)
		}
	}
	for name, lines := range rules {
		k.chains[chainKey{table, name}] = strings.Join(lines, "\n")
	}
}

// lead writes what makes the kernel's chains of a table lead to ours, each once and where it belongs, and counts what was missing.
func (k kernel) lead(table string, out *bytes.Buffer) (missing int) {
	for _, j := range slices.Backward(jumps) {
		if j.table != table {
			continue
		}
		lines := k.lines[chainKey{table, j.from}]
		first := slices.Index(lines, j.rule)
		switch {
		case first < 0 && j.last:
			missing++
			out.WriteString("-A " + j.from + " " + j.rule + "\n")
		case first < 0:
			missing++
			out.WriteString("-I " + j.from + " 1 " + j.rule + "\n")
		case j.last && first < len(lines)-1:
			out.WriteString("-D " + j.from + " " + j.rule + "\n-A " + j.from + " " + j.rule + "\n")
		}
	}
	return missing
}

// unlead writes the removal of all that leads from the kernel's chains of a table to ours.
func (k kernel) unlead(table string, out *bytes.Buffer) {
	for _, j := range jumps {
		for _, line := range k.lines[chainKey{j.table, j.from}] {
			if j.table == table && line == j.rule {
				out.WriteString("-D " + j.from + " " + line + "\n")
			}
		}
	}
}

// writers are the processes by which this one changed rules most recently.
type writers struct {
	mu   sync.Mutex
	pids [16]int
	next int
}

func (w *writers) add(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pids[w.next%len(w.pids)] = pid
	w.next++
}

func (w *writers) has(pid int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.pids[:], pid)
}

// restore changes the kernel's rules in one transaction for each table.
func (w *writers) restore(ctx context.Context, input []byte) error {
	cmd := exec.CommandContext(ctx, "iptables-restore", "--noflush", "--wait", "5")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &out
	err := cmd.Start()
	if err == nil {
		w.add(cmd.Process.Pid)
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("restoring %d bytes of rules: %w: %s", len(input), err, strings.TrimSpace(out.String()))
	}
	return nil
}

package eviction

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Default are the thresholds that hold unless an administrator names others: upstream's. Those of imagefs hold only where images have
// a file system of their own, which may be the one of etcd too; on a common one those of nodefs do, as people have large disks that are
// rather full.
const Default = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%"

// Threshold is what must be left of something: an amount, or a share of all in per cent.
type Threshold struct {
	Signal  string
	Amount  int64
	Percent float64
	// Apart says that it counts only if images have a file system of their own.
	Apart bool
}

// What a node may be short of, beside memory and ephemeral storage.
const (
	inodes corev1.ResourceName = "inodes"
	pids   corev1.ResourceName = "pids"
)

// signal is what a node is short of, and the condition that says so.
type signal struct {
	of       corev1.ResourceName
	pressure corev1.NodeConditionType
	look     func(Measures) Measure
	// images says that it is of the images' file system.
	images bool
}

// signals are what can be measured.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals
var signals = map[string]signal{
	"memory.available":   {corev1.ResourceMemory, corev1.NodeMemoryPressure, func(m Measures) Measure { return m.Memory }, false},
	"nodefs.available":   {corev1.ResourceEphemeralStorage, corev1.NodeDiskPressure, func(m Measures) Measure { return m.Disk }, false},
	"nodefs.inodesFree":  {inodes, corev1.NodeDiskPressure, func(m Measures) Measure { return m.Inodes }, false},
	"imagefs.available":  {corev1.ResourceEphemeralStorage, corev1.NodeDiskPressure, func(m Measures) Measure { return m.Images }, true},
	"imagefs.inodesFree": {inodes, corev1.NodeDiskPressure, func(m Measures) Measure { return m.ImageInodes }, true},
	"pid.available":      {pids, corev1.NodePIDPressure, func(m Measures) Measure { return m.PIDs }, false},
}

// amount writes a measure as its kind is written.
func (s signal) amount(n int64) string {
	if s.of == inodes || s.of == pids {
		return resource.NewQuantity(n, resource.DecimalSI).String()
	}
	return bytes(n)
}

// ParseThresholds reads thresholds as upstream's --eviction-hard takes them: SIGNAL<AMOUNT,...; an amount is a quantity or per cent.
// What is not named has no threshold. Thresholds of 0 or 0 % are none.
func ParseThresholds(text string) (all []Threshold, err error) {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		signal, amount, found := strings.Cut(strings.TrimSpace(part), "<")
		if !found {
			return nil, fmt.Errorf("%q is not a threshold like nodefs.available<10%%", part)
		}
		if _, known := signals[signal]; !known {
			known := strings.Join(slices.Sorted(maps.Keys(signals)), ", ")
			return nil, fmt.Errorf("%q is not measured; what is: %s", signal, known)
		}
		if seen[signal] {
			return nil, fmt.Errorf("%s has two thresholds", signal)
		}
		seen[signal] = true
		t := Threshold{Signal: signal, Apart: text == Default && signals[signal].images}
		if share, ok := strings.CutSuffix(amount, "%"); ok {
			if t.Percent, err = strconv.ParseFloat(share, 64); err != nil || !(t.Percent >= 0 && t.Percent < 100) {
				return nil, fmt.Errorf("%s: %q is not a share from 0%% to 100%%", signal, amount)
			}
		} else {
			quantity, err := resource.ParseQuantity(amount)
			if err != nil || quantity.Sign() < 0 {
				return nil, fmt.Errorf("%s: %q is not an amount like 1Gi or 10%%", signal, amount)
			}
			t.Amount = quantity.Value()
		}
		all = append(all, t)
	}
	return all, nil
}

// need is what the node is short of by this threshold, if it is.
func (t Threshold) need(m Measures) (need, bool) {
	s := signals[t.Signal]
	if t.Apart && !m.Apart {
		return need{}, false
	}
	measured, least := s.look(m), t.Amount
	if t.Percent > 0 {
		least = int64(t.Percent / 100 * float64(measured.Total))
	}
	if measured.Total == 0 || measured.Available >= least {
		return need{}, false
	}
	return need{signal: s, name: t.Signal, available: s.amount(measured.Available), threshold: s.amount(least)}, true
}

// needsOf are what the node is short of, each thing once, memory first: its lack does most harm.
func needsOf(m Measures, thresholds []Threshold) (needs []need) {
	seen := map[corev1.ResourceName]bool{}
	for _, t := range thresholds {
		if n, short := t.need(m); short && !seen[n.of] {
			seen[n.of] = true
			needs = append(needs, n)
		}
	}
	slices.SortStableFunc(needs, func(a, b need) int {
		return compareBool(b.of == corev1.ResourceMemory, a.of == corev1.ResourceMemory)
	})
	return needs
}

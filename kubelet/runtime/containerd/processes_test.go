package containerd

import (
	"slices"
	"strings"
	"testing"
)

func TestIsShim(t *testing.T) {
	const socket = "/run/coracle/a/containerd.sock"
	for args, want := range map[string]bool{
		"/d/bin/current/containerd-shim-runc-v2 -namespace k8s.io -id 1 -address " + socket: true,
		"containerd-shim-runc-v2 -address /run/containerd/containerd.sock -id 1":            false,
		"sh -c -address " + socket:         false,
		"containerd-shim-runc-v2 -address": false,
		"containerd-shim-runc-v2":          false,
		"":                                 false,
	} {
		if got := isShim(strings.ReplaceAll(args, " ", "\x00")+"\x00", socket); got != want {
			t.Errorf("%q: %v, want %v", args, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 7 9 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 9797632 0 18446744073709551615"
	for _, name := range []string{"(sh)", "(a b) c)", "())"} {
		p, err := parseStat("42 " + name + rest)
		if err != nil || p.parent != 7 || p.state != "S" || p.started != 4711 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for _, stat := range []string{"", "42 (sh) S 7", "42 (sh) S x" + rest} {
		if _, err := parseStat(stat); err == nil {
			t.Errorf("%q is accepted", stat)
		}
	}
}

func TestBeneath(t *testing.T) {
	tree := processTree{
		1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 13: {parent: 11, state: "Z"}, 14: {parent: 13}, 20: {parent: 1}, 21: {parent: 20},
	}
	got := tree.beneath([]int{10})
	slices.Sort(got)
	if !slices.Equal(got, []int{11, 12, 14}) {
		t.Errorf("beneath 10 are %v", got)
	}
	if got := tree.beneath(nil); len(got) > 0 {
		t.Errorf("beneath nothing are %v", got)
	}
}

package main

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the kernel's modules, by shell patterns of their names, that a node uses.
var wanted = []string{
	"overlay", "veth", "bridge", "br_netfilter", "dummy", "vxlan",
	"nf_conntrack", "nf_nat", "nf_tables", "nft_*", "nf_reject_*", "nf_conntrack_netlink",
	"x_tables", "xt_*", "ip_tables", "ip6_tables", "ipt_*", "ip6t_*", "ip_set", "ip_set_hash_*",
}

// modules copies them with all that they need, and writes their order.
func modules(a *archive, kernel string) error {
	all := map[string]string{} // name to path
	err := filepath.WalkDir(filepath.Join(kernel, "lib/modules"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".ko") {
			all[moduleName(path)] = path
		}
		return err
	})
	if err != nil {
		return err
	}
	var order []string
	var add func(name string) error
	add = func(name string) error {
		if slices.Contains(order, name) || all[name] == "" {
			return nil // built in
		}
		needs, err := needs(all[name])
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.ContainsFunc(wanted, func(p string) bool { ok, _ := filepath.Match(p, name); return ok }) {
			if err := add(name); err != nil {
				return err
			}
		}
	}
	var list strings.Builder
	for _, name := range order {
		file := "lib/modules/" + name + ".ko"
		a.copy(file, all[name])
		fmt.Fprintln(&list, "/"+file)
	}
	a.file("guest/modules", 0o644, []byte(list.String()))
	return nil
}

func moduleName(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(path), ".ko"), "-", "_")
}

// needs reads which modules one depends on.
func needs(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s has no .modinfo", path)
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for line := range strings.SplitSeq(string(info), "\x00") {
		if list, found := strings.CutPrefix(line, "depends="); found && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}

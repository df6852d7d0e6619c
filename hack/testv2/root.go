package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

//go:embed guest.sh
var guest []byte

//go:embed pod.yaml
var pod []byte

// writeRoot writes the machine's root: busybox, iptables with its libraries, the kernel's modules, and what is tested.
func writeRoot(to, work string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	a := newArchive(f)
	for _, dir := range []string{"new", "etc", "var/lib", "var/log", "tmp"} {
		a.dir(dir)
	}
	a.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	a.file("etc/group", 0o644, []byte("root:x:0:\n"))
	a.file("etc/resolv.conf", 0o644, nil)
	a.file("etc/hosts", 0o644, []byte("127.0.0.1 localhost\n"))
	a.file("guest/guest.sh", 0o755, guest)
	a.file("guest/pod.yaml", 0o644, pod)
	a.file("init", 0o755, []byte("#!/bin/sh\nexec /bin/sh /guest/guest.sh\n"))
	if err := busybox(a); err != nil {
		return err
	}
	if err := packetFilter(a); err != nil {
		return err
	}
	if err := modules(a, filepath.Join(work, "kernel")); err != nil {
		return err
	}
	a.copy("guest/runtime.test", filepath.Join(work, "runtime.test"))
	for _, image := range []string{"web-v1.tar"} {
		a.copy("guest/images/"+image, filepath.Join(work, "images", image))
	}
	if coracle := filepath.Join(work, "..", "coracle"); exists(coracle) {
		a.copy("guest/coracle", coracle)
	}
	return a.close()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func busybox(a *archive) error {
	binary, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	commands, err := exec.Command(binary, "--list").Output()
	if err != nil {
		return fmt.Errorf("listing busybox's commands: %w", err)
	}
	a.copy("bin/busybox", binary)
	for command := range strings.FieldsSeq(string(commands)) {
		if command != "busybox" {
			a.link("bin/"+command, "busybox")
		}
	}
	return nil
}

// packetFilter copies iptables, by all of its names, with the libraries and extensions that it loads.
func packetFilter(a *archive) error {
	binary, err := exec.LookPath("xtables-nft-multi")
	if err != nil {
		binary = "/usr/sbin/xtables-nft-multi"
	}
	a.copy("usr/sbin/xtables-nft-multi", binary)
	for _, name := range []string{"iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"} {
		a.link("usr/sbin/"+name, "xtables-nft-multi")
	}
	extensions, err := filepath.Glob("/usr/lib/x86_64-linux-gnu/xtables/*.so")
	if err != nil {
		return err
	}
	for _, e := range extensions {
		a.copy(strings.TrimPrefix(e, "/"), e)
	}
	libraries, err := exec.Command("ldd", binary).Output()
	if err != nil {
		return fmt.Errorf("finding the libraries of %s: %w", binary, err)
	}
	for word := range strings.FieldsSeq(string(libraries)) {
		if path.IsAbs(word) {
			a.copy(strings.TrimPrefix(word, "/"), word)
		}
	}
	return nil
}

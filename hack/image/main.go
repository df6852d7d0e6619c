// Command image builds the demo's images, and one of busybox alone, from what is on this machine: no registry, no daemon.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

func main() { os.Exit(run()) }

func run() int {
	out := flag.String("o", filepath.Join("bin", "images"), "folder that receives the archives")
	flag.Parse()
	if err := build(*out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		return 1
	}
	return 0
}

// build writes an archive for each image: web-v1.tar, web-v2.tar, busybox.tar.
func build(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	base, err := busybox()
	if err != nil {
		return err
	}
	if err := write(filepath.Join(out, "busybox.tar"), archive.Image{
		Name: "docker.io/library/busybox:latest", Files: base, Cmd: []string{"sh"}, Env: environment,
	}); err != nil {
		return err
	}
	for _, version := range []string{"v1", "v2"} {
		web, err := compile("./demo/web", "-X main.version="+version)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(out, "web-"+version+".tar"), archive.Image{
			Name:       "docker.io/library/web:" + version,
			Files:      append(base[:len(base):len(base)], archive.File{Path: "web", Mode: 0o755, Content: web}),
			Entrypoint: []string{"/web"}, Env: environment,
		}); err != nil {
			return err
		}
	}
	return nil
}

var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// busybox is a root file system of Debian's static busybox and a link for each of its commands.
func busybox() ([]archive.File, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, fmt.Errorf("busybox is missing: apt-get install busybox-static")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(content), "/lib64/ld-linux") {
		return nil, fmt.Errorf("%s needs libraries: apt-get install busybox-static", path)
	}
	commands, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("listing busybox's commands: %w", err)
	}
	files := []archive.File{
		{Path: "bin/busybox", Mode: 0o755, Content: content},
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")},
		{Path: "etc/group", Mode: 0o644, Content: []byte("root:x:0:\nnogroup:x:65534:\n")},
		{Path: "root", Mode: 0o700, Dir: true},
		{Path: "tmp", Mode: 0o1777, Dir: true},
		{Path: "var/run", Mode: 0o755, Dir: true},
	}
	for command := range strings.FieldsSeq(string(commands)) {
		if command != "busybox" {
			files = append(files, archive.File{Path: "bin/" + command, Mode: 0o777, Link: "busybox"})
		}
	}
	return files, nil
}

// compile builds a Go program that stands alone and is the same each time.
func compile(pkg, ldflags string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w "+ldflags, "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return os.ReadFile(binary)
}

// write replaces an archive whole, and leaves one alone that is the same already.
func write(path string, image archive.Image) error {
	content, err := archive.Bytes(image)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	fmt.Printf("  %-32s %5.1f MB\n", image.Name, float64(len(content))/1e6)
	return os.Rename(path+".new", path)
}

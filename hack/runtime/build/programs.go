package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// program is one of the node's programs and how it comes to be.
type program struct {
	name    string
	command []string // run in dir; "OUT" stands for the file to write
	dir     string
	env     []string
}

func programs() []program {
	const (
		modules    = "hack/runtime/modules"
		containerd = "github.com/containerd/containerd/v2"
		shim       = "containerd-shim-runc-v2"
		runc       = "github.com/opencontainers/runc"
	)
	return []program{
		goProgram(shim, modules, containerd+"/cmd/"+shim, false, "no_grpc", "-X "+containerd+"/version.Version="+version(modules, containerd)),
		// runc needs cgo for what happens before Go's threads exist; libseccomp's static archive makes it stand alone.
		// Without checkpoints, which nothing here takes, it starts a tenth faster, several times for each container.
		goProgram("runc", modules, runc, true, "seccomp netgo osusergo urfave_cli_no_docs runc_nocriu",
			"-X main.version="+version(modules, runc)[1:]+" -linkmode external -extldflags -static"),
		goProgram("coracle-net", ".", "./cmd/coracle-net", false, "", ""),
		{
			name: "pause", dir: "hack/runtime/pause",
			command: []string{"gcc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fcf-protection=none",
				"-fno-asynchronous-unwind-tables", "-fomit-frame-pointer", "-Wall", "-Wextra", "-Werror", "-Wl,--build-id=none,-z,norelro,-z,noseparate-code,-n", "-s",
				"-o", "OUT", "pause.c"},
		},
	}
}

// goProgram links a Go program for speed of start and size: stripped, static, without paths of this machine.
func goProgram(name, dir, pkg string, cgo bool, tags, ldflags string) program {
	enabled := "CGO_ENABLED=0"
	if cgo {
		enabled = "CGO_ENABLED=1"
	}
	return program{
		name: name, dir: dir, env: []string{enabled},
		command: []string{"go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", "-s -w " + ldflags, "-o", "OUT", pkg},
	}
}

// version is the version of a module that the go.mod in dir asks for.
func version(dir, module string) string {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "v0"
	}
	return string(bytes.TrimSpace(out))
}

// make builds the program and packs it into target unless the packed file is of the same content already.
// The go command's cache makes the first half cheap when nothing changed; packing is what is skipped here.
func (p program) make(target, work string) (entry, error) {
	began := time.Now()
	binary, err := filepath.Abs(filepath.Join(work, p.name))
	if err != nil {
		return entry{}, err
	}
	command := append([]string(nil), p.command...)
	for i, word := range command {
		if word == "OUT" {
			command[i] = binary
		}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), p.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return entry{}, fmt.Errorf("running %s: %w\n%s", command[0], err, out)
	}
	e, packed, err := pack(p.name, binary, target)
	if err != nil {
		return entry{}, err
	}
	if packed > 0 {
		fmt.Printf("  %-24s %6.1f MB, packed %.1f MB (%.0f s)\n", p.name, float64(e.size)/1e6, float64(packed)/1e6, time.Since(began).Seconds())
	}
	return e, nil
}

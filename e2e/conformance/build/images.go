package build

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

//go:embed busybox.sh debian.sh contents.go tree.go
var recipe embed.FS

// Images writes the suite's images as one archive, unless the cache has that of these programs and this recipe, and returns
// its path. What is made of Debian's packages needs root and a Debian.
func Images(ctx context.Context, cache, programs string, out io.Writer) (string, error) {
	key, err := Sum(recipe, []string{"busybox.sh", "debian.sh", "contents.go", "tree.go"}, filepath.Base(programs))
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "images-"+key+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintln(out, "building images")
	began := time.Now()
	m := materials{programs: programs, pause: filepath.Join(cache, "pause"), busybox: filepath.Join(cache, "busybox"), debian: filepath.Join(cache, "debian")}
	if err := m.gather(ctx, cache, out); err != nil {
		return "", err
	}
	if m.kubernetes, err = ModuleFact(ctx, suiteModule, kubernetes, "{{.Dir}}"); err != nil {
		return "", err
	}
	if m.wanted, err = asked(ctx, programs); err != nil {
		return "", err
	}
	images, err := m.images()
	if err != nil {
		return "", err
	}
	if err := writeArchive(path, images); err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	fmt.Fprintf(out, "  %d images in %s (%.0f s)\n", len(images), path, time.Since(began).Seconds())
	return path, nil
}

func writeArchive(path string, images []archive.Image) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(archive.Write(f, images...), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// materials are what goes into the images besides Go programs.
type materials struct {
	// programs is the folder of Programs; kubernetes that of the module's source; debian that of debian.sh.
	programs, kubernetes, debian string
	// pause and busybox are executables.
	pause, busybox string
	// wanted are the names, with tags, of all images that the suite may ask for.
	wanted []string
}

// asked are the images that the built suite says it may ask for.
func asked(ctx context.Context, programs string) ([]string, error) {
	said, err := exec.CommandContext(ctx, filepath.Join(programs, "e2e.test"), "--list-images").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the suite's images: %w", err)
	}
	return strings.Fields(string(said)), nil
}

// gather makes the materials that the cache does not hold.
func (m materials) gather(ctx context.Context, cache string, out io.Writer) error {
	mirror, err := mirror()
	if err != nil {
		return err
	}
	work := filepath.Join(cache, "work")
	steps := []struct {
		made     string
		packages []string
		command  []string
	}{
		{m.pause, []string{"gcc", "libc6-dev"}, []string{"gcc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-s", "-o", m.pause, "hack/runtime/pause/pause.c"}},
		{m.busybox, []string{"build-essential", "bzip2", "xz-utils", "dpkg-dev"}, script("busybox.sh", m.busybox, filepath.Join(work, "busybox"), mirror)},
		{m.debian, []string{"debootstrap"}, script("debian.sh", m.debian, mirror)},
	}
	for _, s := range steps {
		if _, err := os.Stat(s.made); err == nil {
			continue
		}
		fmt.Fprintf(out, "making %s\n", filepath.Base(s.made))
		if err := call(ctx, out, append([]string{"hack/packages.sh"}, s.packages...)); err != nil {
			return err
		}
		if err := call(ctx, io.Discard, s.command); err != nil {
			return fmt.Errorf("making %s: %w", s.made, err)
		}
	}
	return os.RemoveAll(work)
}

// script is the call of one of our scripts.
func script(name string, args ...string) []string {
	return append([]string{"sh", filepath.Join("e2e", "conformance", "build", name)}, args...)
}

// call runs a command in the repository's root; its error has the last lines of what it said.
func call(ctx context.Context, out io.Writer, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	var said strings.Builder
	both := io.MultiWriter(out, &said)
	cmd.Stdout, cmd.Stderr = both, both
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return fmt.Errorf("%s: %w\n%s", strings.Join(command[:min(2, len(command))], " "), err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return nil
}

// mirror is where this machine gets its Debian packages.
func mirror() (string, error) {
	files, err := filepath.Glob("/etc/apt/sources.list.d/*")
	if err != nil {
		return "", err
	}
	for _, file := range append(files, "/etc/apt/sources.list") {
		content, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if url := mirrorIn(string(content)); url != "" {
			return url, nil
		}
	}
	return "", errors.New("no Debian mirror in /etc/apt: the suite's images are made of Debian packages")
}

// mirrorIn finds the first mirror in a list of sources, of either format.
func mirrorIn(list string) string {
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "URIs:" && fields[0] != "deb" {
			continue
		}
		for _, f := range fields[1:] {
			if strings.Contains(f, "://") || strings.HasPrefix(f, "mirror+file:") {
				return f
			}
		}
	}
	return ""
}

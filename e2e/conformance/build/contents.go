package build

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

const (
	suiteImages = "registry.k8s.io/e2e-test-images/"
	hub         = "docker.io/library/"
)

var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// images are all images that conformance tests use, with what tests look at in them.
func (m materials) images() ([]archive.Image, error) {
	tree, err := tree(filepath.Join(m.debian, "base"))
	if err != nil {
		return nil, err
	}
	debian, err := archive.Pack(tree)
	if err != nil {
		return nil, err
	}
	base := []archive.Layer{debian}
	var images []archive.Image
	for _, add := range []func([]archive.Layer) ([]archive.Image, error){m.pauseImages, m.agnhostImages, m.busyboxImages, m.nginxImages, m.programImages} {
		more, err := add(base)
		if err != nil {
			return nil, err
		}
		images = append(images, more...)
	}
	for i := range images {
		images[i].Env = environment
	}
	return tagged(images, m.wanted)
}

// tagged gives the images that have no tag those by which the suite asks for them.
func tagged(images []archive.Image, wanted []string) ([]archive.Image, error) {
	var all []archive.Image
	for _, image := range images {
		repository := image.Name
		if strings.Contains(path.Base(repository), ":") {
			all = append(all, image)
			continue
		}
		found := false
		for _, name := range wanted {
			if strings.HasPrefix(name, repository+":") {
				image.Name, found = name, true
				all = append(all, image)
			}
		}
		if !found {
			return nil, fmt.Errorf("the suite does not ask for %s any more: take it out of contents.go", repository)
		}
	}
	return all, nil
}

// named is an image under several names, its files packed once. A name without a tag is asked for by those that the suite says.
func named(image archive.Image, names ...string) ([]archive.Image, error) {
	if len(image.Files) > 0 {
		layer, err := archive.Pack(image.Files)
		if err != nil {
			return nil, err
		}
		image.Base, image.Files = append(slices.Clone(image.Base), layer), nil
	}
	var images []archive.Image
	for _, name := range names {
		image.Name = name
		images = append(images, image)
	}
	return images, nil
}

func (m materials) pauseImages([]archive.Layer) ([]archive.Image, error) {
	pause, err := file("pause", m.pause, 0o755)
	if err != nil {
		return nil, err
	}
	return named(archive.Image{Files: []archive.File{pause}, Entrypoint: []string{"/pause"}, User: "65535:65535"},
		"registry.k8s.io/pause", "registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.6")
}

// agnhostImages are the program that most tests run, and two that serve pages.
func (m materials) agnhostImages(base []archive.Layer) ([]archive.Image, error) {
	agnhost, err := file("agnhost", filepath.Join(m.programs, "agnhost"), 0o755)
	if err != nil {
		return nil, err
	}
	files := []archive.File{agnhost, {Path: "agnhost-2", Mode: 0o777, Link: "agnhost"}, {Path: "uploads", Mode: 0o777, Dir: true}}
	porter := filepath.Join(m.kubernetes, "test", "images", "agnhost", "porter")
	for _, name := range []string{"localhost.crt", "localhost.key"} {
		f, err := file(name, filepath.Join(porter, name), 0o644)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	// Tests run as a user of the image's, who is in a group of the image's.
	for _, more := range []struct{ name, lines string }{
		{"etc/passwd", "user-defined-in-image:x:1000:1000::/home/user:/bin/sh\n"},
		{"etc/group", "user-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"},
	} {
		f, err := file(more.name, filepath.Join(m.debian, "base", more.name), 0o644)
		if err != nil {
			return nil, err
		}
		f.Content = append(f.Content, more.lines...)
		files = append(files, f)
	}
	fake, err := m.fakeRegistry(base)
	if err != nil {
		return nil, err
	}
	images, err := named(archive.Image{
		Base: base, Files: append(files, fake...), Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"},
		Ports: []string{"80/tcp", "8080/tcp", "8081/tcp", "9376/tcp", "5000/tcp"},
	}, suiteImages+"agnhost")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"nautilus", "kitten"} {
		pages, err := tree(filepath.Join(m.kubernetes, "test", "images", name, "html"))
		if err != nil {
			return nil, err
		}
		image := images[0]
		image.Name, image.Cmd = suiteImages+name, []string{"test-webserver"}
		// A test mounts kitten as a volume and looks for the name of the distribution that upstream's is made of.
		image.Files = append(pages, archive.File{Path: "etc/os-release", Mode: 0o644, Content: []byte("NAME=\"Alpine Linux\"\nID=alpine\n")})
		images = append(images, image)
	}
	return images, nil
}

// fakeRegistry is what agnhost serves when it plays a registry that wants a password: the pause image.
func (m materials) fakeRegistry(base []archive.Layer) ([]archive.File, error) {
	pause, err := m.pauseImages(base)
	if err != nil {
		return nil, err
	}
	pause[0].Env = environment
	content, err := archive.Bytes(pause[0])
	if err != nil {
		return nil, err
	}
	blobs, manifest, err := unpack(content)
	if err != nil {
		return nil, err
	}
	const root = "var/registry/pause/"
	files := []archive.File{
		{Path: root + "manifests/testing", Mode: 0o644, Content: blobs[manifest]},
		{Path: root + "manifests/sha256/" + manifest, Mode: 0o644, Content: blobs[manifest]},
	}
	for _, sum := range slices.Sorted(maps.Keys(blobs)) {
		if sum != manifest {
			files = append(files, archive.File{Path: root + "blobs/sha256/" + sum, Mode: 0o644, Content: blobs[sum]})
		}
	}
	return files, nil
}

func (m materials) busyboxImages([]archive.Layer) ([]archive.Image, error) {
	program, err := file("bin/busybox", m.busybox, 0o755)
	if err != nil {
		return nil, err
	}
	commands, err := exec.Command(m.busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("listing busybox's commands: %w", err)
	}
	files := []archive.File{
		program,
		{Path: "tmp", Mode: 0o1777, Dir: true},
		{Path: "root", Mode: 0o700, Dir: true},
		{Path: "usr/bin", Mode: 0o755, Dir: true},
		{Path: "var/spool", Mode: 0o755, Dir: true},
		{Path: "home", Mode: 0o755, Dir: true},
		{Path: "etc/passwd", Mode: 0o644, Content: []byte("root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n")},
		{Path: "etc/group", Mode: 0o644, Content: []byte("root:x:0:\nbin:x:1:\nmail:x:8:\nwww-data:x:33:\nnogroup:x:65534:\n")},
	}
	for command := range strings.FieldsSeq(string(commands)) {
		if command != "busybox" {
			files = append(files, archive.File{Path: "bin/" + command, Mode: 0o777, Link: "busybox"})
		}
	}
	return named(archive.Image{Files: files, Cmd: []string{"sh"}}, suiteImages+"busybox", hub+"busybox:latest", hub+"busybox:1.37")
}

func (m materials) nginxImages(base []archive.Layer) ([]archive.Image, error) {
	files, err := tree(filepath.Join(m.debian, "nginx"))
	if err != nil {
		return nil, err
	}
	image := archive.Image{Base: base, Files: files, Cmd: []string{"nginx", "-g", "daemon off;"}, Ports: []string{"80/tcp"}}
	return named(image, suiteImages+"nginx", hub+"nginx:latest", hub+"nginx:1.27")
}

// programImages are those of one program, or of none.
func (m materials) programImages(base []archive.Layer) ([]archive.Image, error) {
	images := []archive.Image{
		{Name: suiteImages + "nonroot", Base: base, User: "1234", Cmd: []string{"bash"}},
		{Name: suiteImages + "glibc-dns-testing", Base: base, Cmd: []string{"bash"}},
		{Name: "registry.k8s.io/build-image/distroless-iptables", Base: base, Cmd: []string{"bash"}}, // what the kernel tracks is read from a file
	}
	for _, p := range []struct {
		name, path string
		mode       int64
		image      archive.Image
	}{
		// It tells whether a program that changes its user may: so it has to be one.
		{"nnp", "usr/local/bin/nnp", 0o6755, archive.Image{Name: suiteImages + "nonewprivs", Cmd: []string{"nnp"}}},
		{"regression-issue-74839", "regression-issue-74839", 0o755, archive.Image{Name: suiteImages + "regression-issue-74839", Entrypoint: []string{"/regression-issue-74839"}}},
		{"sample-apiserver", "sample-apiserver", 0o755, archive.Image{Name: suiteImages + "sample-apiserver", Entrypoint: []string{"/sample-apiserver"}}},
		{"etcd", "usr/local/bin/etcd", 0o755, archive.Image{Name: "registry.k8s.io/etcd"}},
	} {
		program, err := file(p.path, filepath.Join(m.programs, p.name), p.mode)
		if err != nil {
			return nil, err
		}
		p.image.Base, p.image.Files = base, []archive.File{program}
		images = append(images, p.image)
	}
	return images, nil
}

// file is a file of an image with the content of one here.
func file(name, from string, mode int64) (archive.File, error) {
	content, err := os.ReadFile(from)
	return archive.File{Path: name, Mode: mode, Content: content}, err
}

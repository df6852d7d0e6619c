package build

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

func TestMirrorIsFoundInBothFormats(t *testing.T) {
	for list, want := range map[string]string{
		"# a comment\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n":       "http://mirror.example/debian",
		"deb [signed-by=/usr/share/x.gpg arch=amd64] https://mirror.example/debian trixie main": "https://mirror.example/debian",
		"# deb http://commented.example/debian x main\n":                                        "",
		"deb-src http://source.example/debian x main":                                           "",
		"": "",
	} {
		if got := mirrorIn(list); got != want {
			t.Errorf("in %q: %q", list, got)
		}
	}
}

func TestTreeKeepsModesAndLinks(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "tmp"), 0o755),
		os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky),
		os.WriteFile(filepath.Join(dir, "tmp", "su"), []byte("x"), 0o755),
		os.Chmod(filepath.Join(dir, "tmp", "su"), 0o755|os.ModeSetuid),
		os.Symlink("tmp/su", filepath.Join(dir, "su")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []archive.File{{Path: "su", Mode: 0o777, Link: "tmp/su"}, {Path: "tmp", Mode: 0o1777, Dir: true}, {Path: "tmp/su", Mode: 0o4755, Content: []byte("x")}}
	same := func(a, b archive.File) bool {
		return a.Path == b.Path && a.Mode == b.Mode && a.Link == b.Link && a.Dir == b.Dir && string(a.Content) == string(b.Content)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got %+v", got)
	}
}

func TestFakeRegistryServesAWholeImage(t *testing.T) {
	pause := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(pause, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := materials{pause: pause}.fakeRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	var manifests, blobs int
	for _, f := range files {
		switch filepath.Base(filepath.Dir(filepath.Dir(f.Path))) {
		case "manifests", "pause":
			manifests++
		case "blobs":
			blobs++
		}
	}
	if manifests != 2 || blobs != 2 {
		t.Errorf("%d manifests and %d blobs", manifests, blobs)
	}
}

func TestImagesGetTheTagsThatTheSuiteAsksFor(t *testing.T) {
	images := []archive.Image{{Name: "r/nginx", User: "1"}, {Name: "r/nginx:latest"}, {Name: "r:5000/pause"}}
	got, err := tagged(images, []string{"r/nginx:1.27", "r:5000/pause:3", "r/nginx:1.28", "r/nginx-slim:2"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, image := range got {
		names = append(names, image.Name)
	}
	if want := []string{"r/nginx:1.27", "r/nginx:1.28", "r/nginx:latest", "r:5000/pause:3"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if got[1].User != "1" {
		t.Errorf("the second tag is of another image: %+v", got[1])
	}
	if _, err := tagged(images, []string{"r/nginx:1.27"}); err == nil {
		t.Error("an image that nobody asks for is no error")
	}
}

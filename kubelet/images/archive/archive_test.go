package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var example = Image{
	Name: "docker.io/library/a:v1", Cmd: []string{"sh"},
	Files: []File{{Path: "usr/bin/sh", Mode: 0o755, Content: []byte("program")}, {Path: "bin", Link: "usr/bin"}, {Path: "tmp", Mode: 0o1777, Dir: true}},
}

func TestImageIsConsistent(t *testing.T) {
	content, err := Bytes(example)
	if err != nil {
		t.Fatal(err)
	}
	files := read(t, bytes.NewReader(content))
	var index ocispec.Index
	parse(t, files["index.json"], &index)
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations["io.containerd.image.name"] != example.Name || index.Manifests[0].Annotations[ocispec.AnnotationRefName] != "v1" {
		t.Fatalf("index %s", files["index.json"])
	}
	blob := func(d ocispec.Descriptor) []byte {
		content := files["blobs/sha256/"+d.Digest.Encoded()]
		if int64(len(content)) != d.Size || digest.FromBytes(content) != d.Digest {
			t.Errorf("blob %s has %d bytes of %s", d.Digest, len(content), digest.FromBytes(content))
		}
		return content
	}
	var manifest ocispec.Manifest
	parse(t, blob(index.Manifests[0]), &manifest)
	var config ocispec.Image
	parse(t, blob(manifest.Config), &config)
	plain, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	if config.RootFS.DiffIDs[0] != digest.FromBytes(layer) || config.Architecture != "amd64" || config.Config.Cmd[0] != "sh" {
		t.Errorf("configuration %+v", config)
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if want := []string{"usr/", "usr/bin/", "usr/bin/sh", "bin", "tmp/"}; len(names) != len(want) || names[2] != want[2] || names[4] != want[4] {
		t.Errorf("files %v, want %v", names, want)
	}
}

func TestImagesShareTheirBase(t *testing.T) {
	base, err := Pack([]File{{Path: "bin/sh", Mode: 0o4755, Owner: 7, Group: 9, Content: []byte("program")}})
	if err != nil {
		t.Fatal(err)
	}
	content, err := Bytes(
		Image{Name: "docker.io/library/plain:v1", Base: []Layer{base}, Ports: []string{"80/tcp"}},
		Image{Name: "docker.io/library/more:v1", Base: []Layer{base}, Files: []File{{Path: "more", Mode: 0o644}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	files := read(t, bytes.NewReader(content))
	var index ocispec.Index
	parse(t, files["index.json"], &index)
	var manifests [2]ocispec.Manifest
	var configs [2]ocispec.Image
	for i, d := range index.Manifests {
		parse(t, files["blobs/sha256/"+d.Digest.Encoded()], &manifests[i])
		parse(t, files["blobs/sha256/"+manifests[i].Config.Digest.Encoded()], &configs[i])
		if len(manifests[i].Layers) != i+1 || len(configs[i].RootFS.DiffIDs) != i+1 {
			t.Errorf("image %d: layers %v, %v", i, manifests[i].Layers, configs[i].RootFS.DiffIDs)
		}
	}
	first := manifests[0].Layers[0]
	if manifests[1].Layers[0].Digest != first.Digest {
		t.Error("the base differs")
	}
	if _, declared := configs[0].Config.ExposedPorts["80/tcp"]; !declared || configs[1].Config.ExposedPorts != nil {
		t.Errorf("ports %v, %v", configs[0].Config.ExposedPorts, configs[1].Config.ExposedPorts)
	}
	plain, err := gzip.NewReader(bytes.NewReader(files["blobs/sha256/"+first.Digest.Encoded()]))
	if err != nil {
		t.Fatal(err)
	}
	entries := tar.NewReader(plain)
	if _, err := entries.Next(); err != nil { // bin
		t.Fatal(err)
	}
	h, err := entries.Next()
	if err != nil || h.Mode != 0o4755 || h.Uid != 7 || h.Gid != 9 {
		t.Errorf("file %+v: %v", h, err)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	a, err := Bytes(example, example)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Bytes(example, example)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("differs: %v", err)
	}
}

func TestPathsStayWithin(t *testing.T) {
	for _, path := range []string{"/etc/passwd", "../x", "a/../../x", "", "."} {
		if _, err := Bytes(Image{Name: "a:b", Files: []File{{Path: path}}}); err == nil {
			t.Errorf("%q is accepted", path)
		}
	}
}

func read(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name] != nil {
			t.Errorf("%s is there twice", h.Name)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func parse(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

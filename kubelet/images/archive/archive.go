// Package archive builds container images from files at hand, without a registry and always the same bytes for the same input.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// File is a regular file, a directory or a symbolic link of an image.
type File struct {
	// Path within the image, without a leading slash. Directories above it are made.
	Path string
	// Mode are the permission bits, with setuid, setgid and sticky as chmod numbers them.
	Mode int64
	// Owner and Group are numbers; root's unless set.
	Owner, Group int
	// Content of a regular file.
	Content []byte
	// Link is the target of a symbolic link.
	Link string
	// Dir makes it a directory.
	Dir bool
}

// Layer is a set of files that is packed once, for all images that begin with it.
type Layer struct {
	plain  digest.Digest
	packed []byte
}

// Pack packs files, in the order in which they are to be unpacked.
func Pack(files []File) (Layer, error) {
	plain, packed, err := layer(files)
	return Layer{plain, packed}, err
}

// Image is an image of the layers in its base and one of files of its own.
type Image struct {
	// Name is its full reference, such as docker.io/library/web:v1.
	Name string
	// Base are layers beneath the files.
	Base []Layer
	// Files are in the order in which they are to be unpacked. No files, no layer.
	Files []File
	// Entrypoint, Cmd, Env, User and WorkingDir are the defaults of its containers.
	Entrypoint, Cmd, Env []string
	User, WorkingDir     string
	// Ports are those that it declares, such as 80/tcp.
	Ports []string
}

// Write writes the images as one archive in the layout of the Open Container Initiative, with blobs that several of them
// have in common once.
func Write(w io.Writer, images ...Image) error {
	b := &builder{tar: tar.NewWriter(w), written: map[digest.Digest]bool{}}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, image := range images {
		manifest, err := b.image(image)
		if err != nil {
			return fmt.Errorf("building image %s: %w", image.Name, err)
		}
		index.Manifests = append(index.Manifests, manifest)
	}
	for _, f := range []struct {
		name    string
		content any
	}{
		{ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}},
		{ocispec.ImageIndexFile, index},
	} {
		content, err := json.Marshal(f.content)
		if err != nil {
			return err
		}
		if err := b.file(f.name, content); err != nil {
			return err
		}
	}
	return b.tar.Close()
}

// Bytes is Write into memory.
func Bytes(images ...Image) ([]byte, error) {
	var b bytes.Buffer
	err := Write(&b, images...)
	return b.Bytes(), err
}

type builder struct {
	tar     *tar.Writer
	written map[digest.Digest]bool
}

// image writes layer, configuration and manifest and returns the descriptor for the index.
func (b *builder) image(i Image) (ocispec.Descriptor, error) {
	layers := slices.Clone(i.Base)
	if len(i.Files) > 0 || len(layers) == 0 {
		own, err := Pack(i.Files)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		layers = append(layers, own)
	}
	var plain []digest.Digest
	var packed []ocispec.Descriptor
	for _, l := range layers {
		d, err := b.blob(ocispec.MediaTypeImageLayerGzip, l.packed)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		plain, packed = append(plain, l.plain), append(packed, d)
	}
	platform := ocispec.Platform{Architecture: "amd64", OS: "linux"}
	config, err := b.document(ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: platform,
		Config: ocispec.ImageConfig{
			Entrypoint: i.Entrypoint, Cmd: i.Cmd, Env: i.Env, User: i.User, WorkingDir: i.WorkingDir, ExposedPorts: ports(i.Ports),
		},
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: plain},
	})
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	manifest, err := b.document(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: packed,
	})
	manifest.Platform = &platform
	manifest.Annotations = map[string]string{
		"io.containerd.image.name": i.Name,
		ocispec.AnnotationRefName:  i.Name[strings.LastIndexByte(i.Name, ':')+1:],
	}
	return manifest, err
}

func ports(names []string) map[string]struct{} {
	if len(names) == 0 {
		return nil
	}
	set := map[string]struct{}{}
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

func (b *builder) document(mediaType string, content any) (ocispec.Descriptor, error) {
	bytes, err := json.Marshal(content)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return b.blob(mediaType, bytes)
}

func (b *builder) blob(mediaType string, content []byte) (ocispec.Descriptor, error) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	if b.written[d.Digest] {
		return d, nil
	}
	b.written[d.Digest] = true
	return d, b.file("blobs/sha256/"+d.Digest.Encoded(), content)
}

func (b *builder) file(name string, content []byte) error {
	if err := b.tar.WriteHeader(header(name, 0o644, int64(len(content)))); err != nil {
		return err
	}
	_, err := b.tar.Write(content)
	return err
}

// layer packs files, with the directories above them, and returns the plain archive's digest beside the packed one.
func layer(files []File) (digest.Digest, []byte, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", nil, err
	}
	plain := sha256.New()
	out := tar.NewWriter(io.MultiWriter(zip, plain))
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := add(out, made, f); err != nil {
			return "", nil, fmt.Errorf("adding %s: %w", f.Path, err)
		}
	}
	if err := out.Close(); err != nil {
		return "", nil, err
	}
	if err := zip.Close(); err != nil {
		return "", nil, err
	}
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(plain.Sum(nil))), packed.Bytes(), nil
}

func add(out *tar.Writer, made map[string]bool, f File) error {
	name := path.Clean(f.Path)
	if path.IsAbs(name) || name == "." || strings.HasPrefix(name, "..") {
		return fmt.Errorf("not a path within an image")
	}
	var above []string
	for dir := path.Dir(name); !made[dir]; dir = path.Dir(dir) {
		above = append(above, dir)
	}
	slices.Reverse(above)
	for _, dir := range above {
		if err := add(out, made, File{Path: dir, Mode: 0o755, Dir: true}); err != nil {
			return err
		}
	}
	if made[name] && f.Dir {
		return nil
	}
	h := header(name, f.Mode, int64(len(f.Content)))
	h.Uid, h.Gid = f.Owner, f.Group
	switch {
	case f.Dir:
		h.Typeflag, h.Name, h.Size = tar.TypeDir, name+"/", 0
		made[name] = true
	case f.Link != "":
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
	}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err := out.Write(f.Content)
	return err
}

func header(name string, mode, size int64) *tar.Header {
	return &tar.Header{Name: name, Mode: mode, Size: size, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}

// Package registry answers as a registry of images, read-only, out of archives in the layout of the Open Container Initiative.
package registry

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Registry serves the images of its archives under their names without the registry's host.
type Registry struct {
	files []*os.File
	blobs map[string]blob   // by digest
	tags  map[string]string // digests by repository:tag
	types map[string]string // media types of manifests by digest
}

// blob is a part of an archive.
type blob struct {
	file         *os.File
	offset, size int64
}

// descriptor is what an index says of a manifest.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

const (
	imageName   = "io.containerd.image.name"
	digestStart = "sha256:"
)

// Open reads the archives' indexes. The archives are not to change while they are served.
func Open(paths ...string) (*Registry, error) {
	r := &Registry{blobs: map[string]blob{}, tags: map[string]string{}, types: map[string]string{}}
	for _, path := range paths {
		if err := r.add(path); err != nil {
			return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), r.Close())
		}
	}
	return r, nil
}

// Close closes the archives.
func (r *Registry) Close() error {
	var err error
	for _, f := range r.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// add notes where in an archive its blobs are, and reads its index.
func (r *Registry) add(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	r.files = append(r.files, file)
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	entries := tar.NewReader(file)
	for {
		h, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Name == "index.json" {
			if err := json.NewDecoder(entries).Decode(&index); err != nil {
				return fmt.Errorf("reading the index: %w", err)
			}
		}
		if sum, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && h.Typeflag == tar.TypeReg {
			offset, err := file.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			r.blobs[digestStart+sum] = blob{file: file, offset: offset, size: h.Size}
		}
	}
	for _, m := range index.Manifests {
		_, repository, _ := strings.Cut(m.Annotations[imageName], "/")
		if repository == "" {
			return fmt.Errorf("manifest %s has no name", m.Digest)
		}
		r.tags[repository] = m.Digest
		r.types[m.Digest] = m.MediaType
	}
	return nil
}

// ServeHTTP answers GET and HEAD as https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull says.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "UNSUPPORTED")
	case path == "":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	case strings.Contains(path, "/manifests/"):
		repository, reference, _ := strings.Cut(path, "/manifests/")
		digest := reference
		if !strings.HasPrefix(reference, digestStart) {
			digest = r.tags[repository+":"+reference]
		}
		mediaType := r.types[digest]
		if mediaType == "" {
			refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			return
		}
		r.blob(w, req, digest, mediaType)
	case strings.Contains(path, "/blobs/"):
		_, digest, _ := strings.Cut(path, "/blobs/")
		r.blob(w, req, digest, "application/octet-stream")
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED")
	}
}

func (r *Registry) blob(w http.ResponseWriter, req *http.Request, digest, mediaType string) {
	b, ok := r.blobs[digest]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	http.ServeContent(w, req, "", time.Time{}, io.NewSectionReader(b.file, b.offset, b.size))
}

// refuse answers with an error in the form that clients expect.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, http.StatusText(status))
}

package view

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// dist is the bundle, compressed file by file: page/ builds it. The names of all but index.html are of their content.
//
//go:embed dist
var dist embed.FS

// file is one of the bundle's.
type file struct {
	gzipped []byte
	kind    string // of media
}

// files are the bundle's by name.
var files = sync.OnceValues(func() (map[string]file, error) {
	all := map[string]file{}
	names, err := fs.Glob(dist, "dist/*.gz")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := dist.ReadFile(name)
		if err != nil {
			return nil, err
		}
		name = strings.TrimSuffix(path.Base(name), ".gz")
		kind := mime.TypeByExtension(path.Ext(name))
		if path.Ext(name) == ".js" {
			kind = "text/javascript; charset=utf-8" // whatever the machine's own table says
		}
		all[name] = file{gzipped: content, kind: kind}
	}
	return all, nil
})

// index is the page's markup for a mode.
func index(mode string) (file, error) {
	all, err := files()
	if err != nil {
		return file{}, err
	}
	markup, err := gunzip(all["index.html"].gzipped)
	if err != nil {
		return file{}, fmt.Errorf("reading the page's markup: %w", err)
	}
	markup = bytes.Replace(markup, []byte("MODE"), []byte(mode), 1)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(markup) // into memory
	_ = w.Close()
	return file{gzipped: out.Bytes(), kind: "text/html; charset=utf-8"}, nil
}

func page(mode string) http.Handler {
	start := sync.OnceValues(func() (file, error) { return index(mode) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), policy)
		switch name, below := strings.CutPrefix(r.URL.Path, root+"/"); {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only to be read", http.StatusMethodNotAllowed)
		case r.URL.Path == root:
			w.Header().Set("Location", root+"/")
			w.WriteHeader(http.StatusMovedPermanently)
		case below && name == "":
			f, err := start()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Cache-Control", "no-cache")
			f.serve(w, r)
		default:
			all, _ := files()
			f, ok := all[name]
			if !ok || name == "index.html" {
				http.Error(w, "there is nothing here", http.StatusNotFound)
				return
			}
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			f.serve(w, r)
		}
	})
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	content := f.gzipped
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
	} else {
		plain, err := gunzip(content)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		content = plain
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // a client that has gone misses nothing
	}
}

func gunzip(content []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

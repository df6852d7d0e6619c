package openapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// document is the text of an answer, plain or compressed or both.
type document struct {
	hash          string
	plain, packed []byte
}

func newDocument(plain []byte) *document {
	return &document{hash: hashOf(plain), plain: plain}
}

func hashOf(content []byte) string { return fmt.Sprintf("%X", sha512.Sum512(content)) }

// content unpacks the document if need be.
func (d *document) content() ([]byte, error) {
	if d.plain != nil {
		return d.plain, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(d.packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking an OpenAPI document: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking an OpenAPI document: %w", err)
	}
	return plain, nil
}

// serve answers with the document, compressed as it is stored where the client accepts that.
func (d *document) serve(w http.ResponseWriter, r *http.Request, mediaType string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Etag", strconv.Quote(d.hash))
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Accept-Encoding")
	if d.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.packed))
		return
	}
	plain, err := d.content()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(plain))
}

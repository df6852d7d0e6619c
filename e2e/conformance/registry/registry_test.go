package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

func start(t *testing.T) *httptest.Server {
	t.Helper()
	content, err := archive.Bytes(archive.Image{
		Name: "registry.example/group/a:v1", Cmd: []string{"sh"}, Files: []archive.File{{Path: "bin/sh", Mode: 0o755, Content: []byte("program")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	response, err := await.Client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

func TestImageCanBePulledByTagAndDigest(t *testing.T) {
	url := start(t).URL
	response, body := get(t, url+"/v2/group/a/manifests/v1")
	digest := response.Header.Get("Docker-Content-Digest")
	if sum := sha256.Sum256(body); response.StatusCode != http.StatusOK || digest != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Fatalf("%s: digest %s of %s", response.Status, digest, body)
	}
	if mediaType := response.Header.Get("Content-Type"); mediaType != "application/vnd.oci.image.manifest.v1+json" {
		t.Errorf("media type %s", mediaType)
	}
	if _, same := get(t, url+"/v2/group/a/manifests/"+digest); !bytes.Equal(same, body) {
		t.Errorf("by digest it is %s", same)
	}
	var manifest struct{ Config descriptor }
	var layers struct{ Layers []descriptor }
	if err := json.Unmarshal(body, &manifest); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &layers); err != nil {
		t.Fatal(err)
	}
	for _, d := range append(layers.Layers, manifest.Config) {
		response, content := get(t, url+"/v2/group/a/blobs/"+d.Digest)
		if sum := sha256.Sum256(content); response.StatusCode != http.StatusOK || d.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
			t.Errorf("blob %s: %s, %d bytes", d.Digest, response.Status, len(content))
		}
	}
	head, err := http.Head(url + "/v2/group/a/manifests/v1")
	if err != nil {
		t.Fatal(err)
	}
	head.Body.Close()
	if head.ContentLength != int64(len(body)) || head.Header.Get("Docker-Content-Digest") != digest {
		t.Errorf("HEAD tells %d bytes, %s", head.ContentLength, head.Header.Get("Docker-Content-Digest"))
	}
}

func TestUnknownIsRefused(t *testing.T) {
	url := start(t).URL
	for path, want := range map[string]int{
		"/v2/": http.StatusOK, "/": http.StatusNotFound, "/v2/group/a/manifests/v2": http.StatusNotFound, "/v2/a/manifests/v1": http.StatusNotFound,
		"/v2/group/a/blobs/sha256:00": http.StatusNotFound, "/v2/group/a/tags/list": http.StatusNotFound,
	} {
		if response, _ := get(t, url+path); response.StatusCode != want {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	response, err := await.Client.Post(url+"/v2/group/a/blobs/uploads/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

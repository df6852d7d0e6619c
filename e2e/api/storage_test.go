package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

func TestSecretsAreEncryptedAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, stop := apitest.StartIn(t, dir)
	ctx, client := apitest.Context(t), r.Client(t)
	const hidden, visible = "do-not-show-me", "you-may-see-me"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"a": hidden}}
	if _, err := client.CoreV1().Secrets("default").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	open := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string]string{"a": visible}}
	if _, err := client.CoreV1().ConfigMaps("default").Create(ctx, open, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()

	raw := func(key string) []byte {
		b, err := storage.Embedded(ctx, filepath.Join(dir, "etcd"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		found, err := b.Client.Client.Get(ctx, key)
		if err != nil || len(found.Kvs) != 1 {
			t.Fatalf("%s: %v, %v", key, found, err)
		}
		return found.Kvs[0].Value
	}
	if value := raw("/registry/secrets/default/s"); bytes.Contains(value, []byte(hidden)) || !bytes.HasPrefix(value, []byte("k8s:enc:secretbox:v1:")) {
		t.Errorf("the secret is stored as %q", value)
	}
	if value := raw("/registry/configmaps/default/s"); !bytes.Contains(value, []byte(visible)) {
		t.Errorf("the ConfigMap is stored as %q", value)
	}

	r, stop = apitest.StartIn(t, dir)
	defer stop()
	back, err := r.Client(t).CoreV1().Secrets("default").Get(ctx, "s", metav1.GetOptions{})
	if err != nil || string(back.Data["a"]) != hidden {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func TestServerRefusesAnotherEncryptionKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, stop := apitest.StartIn(t, dir)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}}
	if _, err := r.Client(t).CoreV1().Secrets("default").Create(apitest.Context(t), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stop()
	_, err := apitest.New(context.Background(), apitest.Options{Dir: dir, Change: func(c *server.Config) {
		c.EncryptionKey = make([]byte, 32)
		_, _ = rand.Read(c.EncryptionKey)
	}})
	if err == nil || !strings.Contains(err.Error(), "is this the key") {
		t.Errorf("error %v", err)
	}
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := apitest.StartIn(t, dir)
	defer stop()
	_, err := apitest.New(context.Background(), apitest.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "another server uses it") {
		t.Errorf("error %v", err)
	}
}

package storage

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/storage/value"
)

func TestLongTimersEndOnWholeSeconds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 300e6, time.UTC)
	for d, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond:   10 * time.Millisecond,
		600 * time.Millisecond:  600 * time.Millisecond,
		time.Second:             700 * time.Millisecond,
		1250 * time.Millisecond: 1700 * time.Millisecond,
		time.Minute:             59700 * time.Millisecond,
	} {
		if got := aligned(now, d); got != want {
			t.Errorf("%v becomes %v, want %v", d, got, want)
		}
	}
}

func TestEmbeddedRefusesADirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	b, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Embedded(context.Background(), dir, 0); err == nil || !strings.Contains(err.Error(), "another server uses it") {
		t.Errorf("a second one: %v", err)
	}
	b.Close()
	again, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Healthy(); err != nil {
		t.Error(err)
	}
	again.Close()
}

func TestEmbeddedSaysThatADirectoryIsDamaged(t *testing.T) {
	dir := t.TempDir()
	b, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, log := range logs {
		if err := os.WriteFile(log, []byte(strings.Repeat("this is no log", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Embedded(context.Background(), dir, 0); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
}

func TestEmbeddedSaysThatItsDatabaseIsDamaged(t *testing.T) {
	dir := t.TempDir()
	b, err := Embedded(context.Background(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	database := filepath.Join(dir, "member", "snap", "db")
	whole, err := os.ReadFile(database)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"overwritten": []byte(strings.Repeat("this is no database", 1000)),
		"cut off":     whole[:2*os.Getpagesize()],
		"empty":       nil,
	} {
		if err := os.WriteFile(database, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Embedded(context.Background(), dir, 0); err == nil || !strings.Contains(err.Error(), database+" is damaged") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := os.WriteFile(database, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err = Embedded(context.Background(), dir, 0); err != nil {
		t.Fatalf("put back: %v", err)
	}
	b.Close()
}

func TestOnlySecretsAreEncrypted(t *testing.T) {
	e := EncryptSecrets([32]byte{1})
	ctx, at := context.Background(), value.DefaultContext("/registry/secrets/x")
	hidden, err := e.of(secrets).TransformToStorage(ctx, []byte("hush"), at)
	if err != nil || !strings.HasPrefix(string(hidden), keyPrefix) || strings.Contains(string(hidden), "hush") {
		t.Errorf("stored as %q, %v", hidden, err)
	}
	if plain, _, err := e.of(secrets).TransformFromStorage(ctx, hidden, at); err != nil || string(plain) != "hush" {
		t.Errorf("read as %q, %v", plain, err)
	}
	if plain, stale, err := e.of(secrets).TransformFromStorage(ctx, []byte("old"), at); err != nil || string(plain) != "old" || !stale {
		t.Errorf("what was not encrypted is read as %q, stale %v, %v", plain, stale, err)
	}
	if _, _, err := EncryptSecrets([32]byte{2}).of(secrets).TransformFromStorage(ctx, hidden, at); err == nil {
		t.Error("another key reads it too")
	}
	open, err := e.of(schema.GroupResource{Resource: "configmaps"}).TransformToStorage(ctx, []byte("hush"), at)
	if err != nil || string(open) != "hush" {
		t.Errorf("a ConfigMap is stored as %q, %v", open, err)
	}
}

func TestConfigurationFilesOfUpstreamAreUnderstood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "encryption.yaml")
	text := `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets, configmaps]
  providers:
  - secretbox: {keys: [{name: key1, secret: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]}
  - identity: {}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := EncryptAs(context.Background(), file, "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, at := context.Background(), value.DefaultContext("/registry/secrets/x")
	// The same key, by name and value, as EncryptSecrets has: one can take over from the other.
	hidden, err := EncryptSecrets([32]byte{1}).of(secrets).TransformToStorage(ctx, []byte("hush"), at)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _, err := e.of(secrets).TransformFromStorage(ctx, hidden, at); err != nil || string(plain) != "hush" {
		t.Errorf("read as %q, %v", plain, err)
	}
	if _, err := EncryptAs(context.Background(), file+"x", "test"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a missing file: %v", err)
	}
}

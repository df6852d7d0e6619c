package images

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestKeyring(t *testing.T) {
	var ring Keyring
	for kind, content := range map[corev1.SecretType]string{
		corev1.SecretTypeDockerConfigJson: `{"auths":{
			"https://index.docker.io/v1/":{"auth":"aHViOnNlY3JldA=="},
			"registry.example.com":{"username":"whole","password":"p"},
			"registry.example.com/team":{"username":"team","password":"p"},
			"*.pattern.example.com:5000":{"username":"pattern","password":"p"},
			"localhost:5000":{"auth":"bG9jYWw6YTpi"}}}`,
		corev1.SecretTypeDockercfg: `{"https://old.example.com/v1/":{"username":"old","password":"p","email":"x"}}`,
	} {
		key := corev1.DockerConfigJsonKey
		if kind == corev1.SecretTypeDockercfg {
			key = corev1.DockerConfigKey
		}
		if err := ring.Add(&corev1.Secret{Type: kind, Data: map[string][]byte{key: []byte(content)}}); err != nil {
			t.Fatal(err)
		}
	}
	for image, want := range map[string][]string{
		"nginx":                     {"hub"},
		"docker.io/library/nginx:1": {"hub"},
		"someone/image@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": {"hub"},
		"registry.example.com/other/a":    {"whole"},
		"registry.example.com/team/a:v2":  {"team", "whole"},
		"registry.example.com:443/team/a": nil,
		"a.pattern.example.com:5000/x":    {"pattern"},
		"a.pattern.example.com/x":         nil,
		"a.b.pattern.example.com:5000/x":  nil,
		"localhost:5000/a":                {"local"},
		"old.example.com/a/b":             {"old"},
		"nobody.example.com/a":            nil,
		"NOT A NAME":                      nil,
	} {
		var got []string
		for _, a := range ring.Lookup(image) {
			got = append(got, a.Auth.Username)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", image, got, want)
		}
	}
	if a := ring.Lookup("localhost:5000/a"); a[0].Auth.Password != "a:b" {
		t.Errorf("a password with a colon became %q", a[0].Auth.Password)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	for name, s := range map[string]*corev1.Secret{
		"another type": {Type: corev1.SecretTypeOpaque, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{}`)}},
		"no data":      {Type: corev1.SecretTypeDockerConfigJson},
		"no JSON":      {Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{`)}},
		"no base64":    {Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"a":{"auth":"%"}}}`)}},
		"no colon":     {Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"a":{"auth":"YQ=="}}}`)}},
	} {
		var ring Keyring
		if err := ring.Add(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzTrim(f *testing.F) {
	for _, place := range []string{"https://index.docker.io/v1/", "a:5000", "a/b", "://", "https://[::1"} {
		f.Add(place, "docker.io/library/nginx")
	}
	f.Fuzz(func(_ *testing.T, place, repository string) { fits(trim(place), repository) })
}

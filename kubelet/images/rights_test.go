package images

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// node is a Puller on a machine that keeps its records over restarts.
type node struct {
	*testing.T
	dir     string
	service *service
	puller  *Puller
	// secrets are passwords by namespace/name; an entry's UID is its second half.
	secrets map[string][2]string
}

func newNode(t *testing.T) *node {
	n := &node{T: t, dir: t.TempDir(), service: &service{present: map[string]bool{}, user: "me"}, secrets: map[string][2]string{}}
	n.restart()
	return n
}

func (n *node) restart() {
	n.Helper()
	rights, err := LoadRights(n.Context(), n.dir, n.service)
	if err != nil {
		n.Fatal(err)
	}
	n.puller = NewPuller(Config{Service: n.service, Rights: rights, Secret: func(namespace, name string) (*corev1.Secret, error) {
		s, ok := n.secrets[namespace+"/"+name]
		if !ok {
			return nil, errors.New("not found")
		}
		secret := &corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{
			corev1.DockerConfigJsonKey: []byte(`{"auths":{"r.example":{"username":"` + s[0] + `","password":"p"}}}`)}}
		secret.Namespace, secret.Name, secret.UID = namespace, name, types.UID(s[1])
		return secret, nil
	}})
}

// want asks for an image as a Pod of a namespace that may have a secret: the reason of the error is to be as wanted, and so
// many pulls to happen.
func (n *node) want(namespace, secret, image string, policy corev1.PullPolicy, pulls int, reason string) {
	n.Helper()
	p := pod()
	p.Namespace = namespace
	p.UID = types.UID(namespace + secret + image)
	if secret != "" {
		p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
	}
	n.service.pulls = 0
	_, err := n.puller.Ensure(n.Context(), Request{Pod: p, Image: image, Policy: policy})
	n.puller.Forget(p.UID)
	got := ""
	var why *Error
	if errors.As(err, &why) {
		got = why.Reason
	}
	if got != reason || n.service.pulls != pulls {
		n.Errorf("a Pod of %s with secret %q asks for %s (%s): %v after %d pulls, want %q after %d", namespace, secret, image, policy, err, n.service.pulls, reason, pulls)
	}
}

const private = "r.example/a:1"

func TestPrivateImagesAreForThoseWhoCouldPullThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.secrets["a/s"] = [2]string{"me", "1"}
		n.secrets["b/same"] = [2]string{"me", "2"}
		n.secrets["b/other"] = [2]string{"you", "3"}
		n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
		for range 2 {
			n.want("a", "s", private, corev1.PullIfNotPresent, 0, "")
			n.want("a", "s", private, corev1.PullNever, 0, "")
			n.want("a", "", private, corev1.PullIfNotPresent, 1, ReasonPull)
			n.want("b", "", private, corev1.PullIfNotPresent, 1, ReasonPull)
			n.want("b", "", private, corev1.PullNever, 0, ReasonNeverPull)
			n.want("b", "missing", private, corev1.PullNever, 0, ReasonNeverPull)
			n.want("b", "other", private, corev1.PullIfNotPresent, 1, ReasonPull)
			n.want("b", "same", private, corev1.PullNever, 0, "")
			n.restart()
		}
		// A secret that was good is good with its next password too; one of the same name that is another secret is not.
		n.secrets["b/same"] = [2]string{"changed", "2"}
		n.want("b", "same", private, corev1.PullNever, 0, "")
		n.secrets["b/same"] = [2]string{"unknown", "4"}
		n.want("b", "same", private, corev1.PullNever, 0, ReasonNeverPull)
	})
}

func TestImagesPulledWithoutCredentialsAreForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.service.user = ""
		n.secrets["a/s"] = [2]string{"me", "1"}
		n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
		n.want("b", "", private, corev1.PullIfNotPresent, 1, "")
		n.restart()
		n.want("c", "", private, corev1.PullNever, 0, "")
	})
}

func TestLoadedImagesAreForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.service.present[private] = true
		n.want("b", "", private, corev1.PullNever, 0, "")
		n.want("b", "", private, corev1.PullIfNotPresent, 0, "")
	})
}

// The same content under another name is asked for by that name: whoever may have one repository may not have all.
func TestARightIsToARepository(t *testing.T) {
	n := newNode(t)
	if err := n.puller.Rights.Begin("r.example/a:1"); err != nil {
		t.Fatal(err)
	}
	if err := n.puller.Rights.End("r.example/a:1", "id", nil); err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]bool{"r.example/a:1": true, "r.example/a:2": true, "r.example/a": true, "r.example/b:1": false, "a:1": false} {
		if may, err := n.puller.Rights.May(image, "id", func() []*Credential { return nil }); err != nil || may != want {
			t.Errorf("%s: %v, %v, want %v", image, may, err, want)
		}
	}
}

func TestWhatWasBeingPulledIsNotForAll(t *testing.T) {
	for name, there := range map[string]bool{"found at the start": true, "found later": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				n.secrets["a/s"] = [2]string{"me", "1"}
				if err := n.puller.Rights.Begin(private); err != nil {
					t.Fatal(err)
				}
				n.service.present[private] = there
				n.restart()
				n.service.present[private] = true
				n.want("b", "", private, corev1.PullNever, 0, ReasonNeverPull)
				n.want("a", "s", private, corev1.PullNever, 0, ReasonNeverPull)
				n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
				n.want("a", "s", private, corev1.PullNever, 0, "")
				if left, err := os.ReadDir(filepath.Join(n.dir, "pulling")); err != nil || len(left) != 0 {
					t.Errorf("pulling: %v, %v", left, err)
				}
			})
		})
	}
}

func TestAnUnreadableRecordIsNoRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.secrets["a/s"] = [2]string{"me", "1"}
		n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
		if err := os.WriteFile(filepath.Join(n.dir, "pulled", fileOf(private)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		n.restart()
		n.want("b", "", private, corev1.PullNever, 0, ReasonNeverPull)
		n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
		n.restart()
		n.want("a", "s", private, corev1.PullNever, 0, "")
	})
}

func TestRecordsGoWithTheirImages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.secrets["a/s"] = [2]string{"me", "1"}
		n.want("a", "s", private, corev1.PullIfNotPresent, 1, "")
		records := func() int {
			files, err := os.ReadDir(filepath.Join(n.dir, "pulled"))
			if err != nil {
				t.Fatal(err)
			}
			return len(files)
		}
		seen := func(images ...*runtimeapi.Image) {
			if err := n.puller.Rights.Seen(images); err != nil {
				t.Fatal(err)
			}
		}
		image := &runtimeapi.Image{Id: private}
		seen()
		time.Sleep(time.Hour)
		seen(image)
		seen()
		time.Sleep(time.Minute)
		seen()
		if records() != 1 {
			t.Error("the record went with one list that lacked the image")
		}
		time.Sleep(time.Hour)
		seen()
		if records() != 0 {
			t.Error("the record is left, an hour after its image")
		}
		n.want("b", "", private, corev1.PullNever, 0, "") // and what has this name now is the owner's
	})
}

func (s *service) ListImages(context.Context, *runtimeapi.ImageFilter) ([]*runtimeapi.Image, error) {
	var list []*runtimeapi.Image
	for name, there := range s.present {
		if there {
			list = append(list, &runtimeapi.Image{Id: name, RepoTags: []string{name}})
		}
	}
	return list, nil
}

package images

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// service is a runtime whose registry has what it is told.
type service struct {
	internalapi.ImageManagerService

	mu       sync.Mutex
	present  map[string]bool
	broken   error
	user     string // who alone may pull; "" is anybody
	pulls    int
	at, most int // pulls at a time
}

func (s *service) ImageStatus(_ context.Context, spec *runtimeapi.ImageSpec, _ bool) (*runtimeapi.ImageStatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.present[spec.Image] {
		return &runtimeapi.ImageStatusResponse{}, nil
	}
	return &runtimeapi.ImageStatusResponse{Image: &runtimeapi.Image{Id: spec.Image, Size: 7}}, nil
}

func (s *service) PullImage(_ context.Context, spec *runtimeapi.ImageSpec, auth *runtimeapi.AuthConfig, _ *runtimeapi.PodSandboxConfig) (string, error) {
	s.mu.Lock()
	s.pulls++
	s.at++
	s.most = max(s.most, s.at)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at--
	if s.broken != nil {
		return "", s.broken
	}
	if s.user != "" && auth.GetUsername() != s.user {
		return "", errors.New("unauthorized")
	}
	s.present[spec.Image] = true
	return spec.Image, nil
}

func pod(secrets ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "1"}}
	for _, s := range secrets {
		p.Spec.ImagePullSecrets = append(p.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: s})
	}
	return p
}

// puller returns one and the reasons of the Events that it sends.
func puller(s *service, parallel int) (*Puller, *[]string) {
	var mu sync.Mutex
	events := &[]string{}
	return NewPuller(Config{
		Service: s, Parallel: parallel,
		Secret: func(_, name string) (*corev1.Secret, error) {
			if name == "missing" {
				return nil, errors.New("not found")
			}
			return &corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{
				corev1.DockerConfigJsonKey: []byte(`{"auths":{"r.example":{"username":"` + name + `","password":"p"}}}`)}}, nil
		},
		Event: func(_ *corev1.ObjectReference, _, reason, _ string) {
			mu.Lock()
			defer mu.Unlock()
			*events = append(*events, reason)
		},
	}), events
}

func TestEnsure(t *testing.T) {
	for name, c := range map[string]*struct {
		image   string
		policy  corev1.PullPolicy
		service service
		secrets []string
		reason  string // of the error
		pulls   int
		events  string
	}{
		"present":              {image: "a:1", policy: corev1.PullIfNotPresent, service: service{present: map[string]bool{"a:1": true}}, events: "Pulled"},
		"latest where no tag":  {image: "a", policy: corev1.PullIfNotPresent, service: service{present: map[string]bool{"a:latest": true}}, events: "Pulled"},
		"absent":               {image: "a:1", policy: corev1.PullIfNotPresent, pulls: 1, events: "Pulling Pulled"},
		"always":               {image: "a:1", policy: corev1.PullAlways, service: service{present: map[string]bool{"a:1": true}}, pulls: 1, events: "Pulling Pulled"},
		"never, present":       {image: "a:1", policy: corev1.PullNever, service: service{present: map[string]bool{"a:1": true}}, events: "Pulled"},
		"never, absent":        {image: "a:1", policy: corev1.PullNever, reason: ReasonNeverPull, events: "ErrImageNeverPull"},
		"no name":              {image: "A B", policy: corev1.PullAlways, reason: ReasonInvalidName, events: "InspectFailed"},
		"broken":               {image: "a:1", policy: corev1.PullAlways, service: service{broken: errors.New("no route")}, reason: ReasonPull, pulls: 1, events: "Pulling Failed"},
		"registry unavailable": {image: "a:1", policy: corev1.PullAlways, service: service{broken: errors.New("RegistryUnavailable: x")}, reason: "RegistryUnavailable", pulls: 1, events: "Pulling Failed"},
		"no secret":            {image: "r.example/a:1", policy: corev1.PullAlways, service: service{user: "me"}, reason: ReasonPull, pulls: 1, events: "Pulling Failed"},
		"the right secret":     {image: "r.example/a:1", policy: corev1.PullAlways, service: service{user: "me"}, secrets: []string{"you", "missing", "me"}, pulls: 2, events: "Pulling Pulled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.service.present == nil {
					c.service.present = map[string]bool{}
				}
				p, events := puller(&c.service, 1)
				id, err := p.Ensure(t.Context(), Request{Pod: pod(c.secrets...), Image: c.image, Policy: c.policy, About: &corev1.ObjectReference{}})
				var why *Error
				switch {
				case c.reason == "" && (err != nil || id == ""):
					t.Errorf("got %q, %v", id, err)
				case c.reason != "" && (!errors.As(err, &why) || why.Reason != c.reason):
					t.Errorf("got %v, want reason %s", err, c.reason)
				}
				if c.service.pulls != c.pulls || strings.Join(*events, " ") != c.events {
					t.Errorf("%d pulls and events %v, want %d and %s", c.service.pulls, *events, c.pulls, c.events)
				}
			})
		})
	}
}

func TestPullsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{present: map[string]bool{}, broken: errors.New("no route")}
		p, _ := puller(s, 1)
		r := Request{Pod: pod(), Image: "a:1", Policy: corev1.PullAlways}
		var pauses []time.Duration
		last := time.Now()
		for end := time.Now().Add(25 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
			before := s.pulls
			_, err := p.Ensure(t.Context(), r)
			var why *Error
			if !errors.As(err, &why) {
				t.Fatal(err)
			}
			if s.pulls > before {
				pauses = append(pauses, time.Since(last).Round(5*time.Second))
				last = time.Now()
			} else if why.Reason != ReasonBackOff || !strings.Contains(why.Error(), "no route") {
				t.Fatalf("while backing off: %s: %v", why.Reason, why)
			}
		}
		want := []time.Duration{0, 10, 20, 40, 80, 160, 300, 300, 300}
		for i, w := range want {
			if pauses[i] != w*time.Second {
				t.Fatalf("pauses are %v", pauses)
			}
		}
		other := r
		other.Pod = pod()
		other.Pod.UID = "2"
		if _, err := p.Ensure(t.Context(), other); err == nil || strings.Contains(err.Error(), "Back-off") {
			t.Errorf("another Pod backs off too: %v", err)
		}
		p.Forget("1")
		if _, err := p.Ensure(t.Context(), r); err == nil || strings.Contains(err.Error(), "Back-off") {
			t.Errorf("a forgotten Pod backs off: %v", err)
		}
	})
}

func TestPullsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{present: map[string]bool{}}
		p, _ := puller(s, 2)
		for _, image := range []string{"a:1", "a:1", "a:1", "b:1", "c:1"} {
			go func() {
				if _, err := p.Ensure(t.Context(), Request{Pod: pod(), Image: image, Policy: corev1.PullIfNotPresent}); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s.most != 2 {
			t.Errorf("%d pulls at a time, want 2", s.most)
		}
		if s.pulls > 4 {
			t.Errorf("%d pulls of three images", s.pulls)
		}
	})
}

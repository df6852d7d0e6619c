package server

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

type none struct{}

func (none) Pods() []*corev1.Pod { return nil }

func (none) Pod(string, string) (*corev1.Pod, *runtime.Pod, error) {
	return nil, nil, http.ErrNoLocation
}

// reviewer answers reviews: "reader" may read figures, "root" all; the token "good" is reader's.
func reviewer(asked *atomic.Int32) *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, apiruntime.Object, error) {
		asked.Add(1)
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		what := review.Spec.ResourceAttributes
		review.Status.Allowed = review.Spec.User == "root" || review.Spec.User == "reader" && what.Subresource == "metrics" && what.Verb == "get"
		return true, review, nil
	})
	client.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, apiruntime.Object, error) {
		asked.Add(1)
		review := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.Authenticated = review.Spec.Token == "good"
		review.Status.User.Username = "reader"
		return true, review, nil
	})
	return client
}

func TestAccess(t *testing.T) {
	var asked atomic.Int32
	s := New(Config{Client: reviewer(&asked), ServerUser: "apiserver", Pods: none{}, NodeName: "n", Metrics: http.NotFoundHandler()})
	handler := s.Handler()
	get := func(method, path, user, token string) int {
		r := httptest.NewRequest(method, path, nil)
		if user != "" {
			cert := &x509.Certificate{Subject: pkix.Name{CommonName: user}}
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for _, tt := range []struct {
		name, method, path, user, token string
		want                            int
	}{
		{"nobody", "GET", "/pods", "", "", http.StatusUnauthorized},
		{"a bad token", "GET", "/pods", "", "bad", http.StatusUnauthorized},
		{"health is for all", "GET", "/healthz", "", "", http.StatusOK},
		{"the server", "GET", "/pods", "apiserver", "", http.StatusOK},
		{"root", "GET", "/pods", "root", "", http.StatusOK},
		{"a reader may not", "GET", "/pods", "reader", "", http.StatusForbidden},
		{"but may see figures", "GET", "/metrics", "", "good", http.StatusNotFound},
		{"nor run commands", "POST", "/run/ns/p/c", "reader", "", http.StatusForbidden},
		{"of a pod that is not here", "POST", "/run/ns/p/c", "root", "", http.StatusNotFound},
		{"something else", "GET", "/nothing", "root", "", http.StatusNotFound},
		{"something else, by nobody", "GET", "/nothing", "", "", http.StatusUnauthorized},
		{"logs of no pod", "GET", "/containerLogs/ns/p/c", "root", "", http.StatusNotFound},
	} {
		if got := get(tt.method, tt.path, tt.user, tt.token); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	before := asked.Load()
	get("GET", "/pods", "root", "")
	get("GET", "/metrics", "", "good")
	get("GET", "/pods", "", "bad")
	if asked.Load() != before {
		t.Error("an answer is not remembered")
	}
}

func TestLogQueries(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	q, err := parseLogQuery(url.Values{"follow": {"true"}, "tailLines": {"0"}, "sinceSeconds": {"60"}, "limitBytes": {"5"}, "stream": {"Stderr"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if !q.options.Follow || *q.options.TailLines != 0 || *q.options.LimitBytes != 5 || !q.options.Since.Equal(now.Add(-time.Minute)) || q.stream != "Stderr" {
		t.Errorf("got %+v", q)
	}
	for _, bad := range []url.Values{{"tailLines": {"-1"}}, {"tailLines": {"x"}}, {"limitBytes": {"0"}}, {"sinceSeconds": {"0"}}, {"sinceTime": {"today"}}, {"follow": {"maybe"}}, {"stream": {"x"}}} {
		if _, err := parseLogQuery(bad, now); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

func TestWhoseLog(t *testing.T) {
	c := func(id string, s runtime.State) *runtime.Container {
		return &runtime.Container{ID: id, Name: "c", State: s}
	}
	for _, tt := range []struct {
		name     string
		held     []*runtime.Container
		previous bool
		want     string
	}{
		{"none", nil, false, ""}, {"only created", []*runtime.Container{c("a", runtime.Created)}, false, ""},
		{"running", []*runtime.Container{c("b", runtime.Running), c("a", runtime.Exited)}, false, "b"},
		{"before that", []*runtime.Container{c("b", runtime.Running), c("a", runtime.Exited)}, true, "a"},
		{"before the first", []*runtime.Container{c("a", runtime.Running)}, true, ""},
		{"of one that waits for its next start", []*runtime.Container{c("a", runtime.Exited)}, true, "a"},
	} {
		got, err := instanceOf(&corev1.Pod{}, &runtime.Pod{Containers: tt.held}, "c", tt.previous)
		if tt.want == "" && err == nil || tt.want != "" && (err != nil || got.ID != tt.want) {
			t.Errorf("%s: got %v, %v", tt.name, got, err)
		}
	}
}

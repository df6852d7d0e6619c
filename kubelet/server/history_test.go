package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/history"
	"github.com/coracle-k8s/coracle/kubelet/meter"
)

// recording is a server of a node that uses a processor, with two Pods that use half of one each.
func recording(t *testing.T) *Server {
	begun := time.Now()
	h := history.New(history.Config{
		NodeName: "n",
		Machine:  func() (meter.Use, error) { return meter.Use{CPU: time.Since(begun), Memory: 7}, nil },
		Pods: func() []*corev1.Pod {
			return []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", UID: "1"}}, {ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "2"}}}
		},
		Pod: func(types.UID) (meter.Use, error) {
			return meter.Use{CPU: time.Since(begun) / 2, Memory: 5}, nil
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return &Server{Config: Config{History: h}}
}

func TestHistoryIsOneDocument(t *testing.T) {
	s := recording(t)
	ask := func(query string) (h history.History, code int) {
		w := httptest.NewRecorder()
		s.history(w, httptest.NewRequest(http.MethodGet, "/stats/history?"+query, nil))
		if w.Code == http.StatusOK {
			if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
				t.Fatal(err)
			}
		}
		return h, w.Code
	}
	if _, code := ask("watch=perhaps"); code != http.StatusBadRequest {
		t.Errorf("watch=perhaps is answered with %d", code)
	}
	if h, _ := ask("watch=false"); h.NodeName != "n" || h.Times == nil || h.Pods == nil || h.Node.CPU == nil {
		t.Errorf("before anything is known: %+v", h)
	}
}

// piped is an answer that is read while it is written.
type piped struct {
	*io.PipeWriter
	header http.Header
}

func (p piped) Flush() {}

func (p piped) WriteHeader(int) {}

func (p piped) Header() http.Header { return p.header }

func TestHistoryIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := recording(t)
		ctx, leave := context.WithCancel(t.Context())
		out, in := io.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.history(piped{in, http.Header{}}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/stats/history?watch=true&pod=2", nil))
		}()
		lines := json.NewDecoder(out)
		for n := range 4 {
			var h history.History
			if err := lines.Decode(&h); err != nil {
				t.Fatal(err)
			}
			if n == 0 || len(h.Pods) == 0 && n == 1 {
				continue // a rate takes two readings
			}
			if p := h.Pods[0]; len(h.Pods) != 1 || p.UID != "2" || p.Name != "b" || p.Namespace != "ns" || *p.Memory[0] != 5 || *p.CPU[0] != 5e8 || *h.Node.CPU[0] != 1e9 {
				t.Errorf("line %d is of %+v", n, h)
			}
		}
		leave()
		<-ended
	})
}

// TestHistoryTakesTheRightToFigures asks as the reviewer's users.
func TestHistoryTakesTheRightToFigures(t *testing.T) {
	var asked atomic.Int32
	c := recording(t).Config
	c.Client, c.ServerUser, c.Pods, c.NodeName = reviewer(&asked), "apiserver", none{}, "n"
	handler := New(c).Handler()
	server := &x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}}
	for name, tt := range map[string]struct {
		token string
		tls   *tls.ConnectionState
		want  int
	}{
		"nobody":                      {"", nil, http.StatusUnauthorized},
		"who may read other metrics":  {"good", nil, http.StatusForbidden},
		"the server, for who may ask": {"", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{server}, VerifiedChains: [][]*x509.Certificate{{server}}}, http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, "/stats/history", nil)
		r.TLS = tt.tls
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: got %d, want %d", name, w.Code, tt.want)
		}
	}
}

func BenchmarkMachineUse(b *testing.B) {
	for b.Loop() {
		if _, err := MachineUse(); err != nil {
			b.Fatal(err)
		}
	}
}

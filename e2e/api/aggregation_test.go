package api

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// other is an aggregated API server that remembers who asked.
type other struct {
	mu    sync.Mutex
	users map[string]string // by path
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(r.TLS.PeerCertificates) > 0 {
		o.users[r.URL.Path] = r.TLS.PeerCertificates[0].Subject.CommonName + " for " + r.Header.Get("X-Remote-User")
	}
	answers := map[string]any{
		"/apis/far.example.com/v1": metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "far.example.com/v1",
			APIResources: []metav1.APIResource{{Name: "things", Kind: "Thing", Verbs: []string{"get"}}},
		},
		"/openapi/v3": map[string]any{"paths": map[string]any{"apis/far.example.com/v1": map[string]any{
			"serverRelativeURL": "/openapi/v3/apis/far.example.com/v1?hash=ABC",
		}}},
		"/openapi/v3/apis/far.example.com/v1": map[string]any{"openapi": "3.0.0", "info": map[string]any{"title": "far"}},
	}
	answer, ok := answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func TestAggregatedServersAreAsked(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	far := &other{users: map[string]string{}}
	s := httptest.NewUnstartedServer(far)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	ctx, client := apitest.Context(t), r.Client(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := net.SplitHostPort(u.Host)
	port, _ := strconv.Atoi(text)
	_, err = client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "far"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	services := aggregator.NewForConfigOrDie(r.Config(t)).ApiregistrationV1().APIServices()
	_, err = services.Create(ctx, &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1.far.example.com"},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: "far.example.com", Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 100, InsecureSkipTLSVerify: true,
			Service: &apiregistrationv1.ServiceReference{Namespace: "default", Name: "far", Port: ptr.To(int32(port))},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group is discovered", func() bool {
		list, err := client.Discovery().ServerResourcesForGroupVersion("far.example.com/v1")
		return err == nil && len(list.APIResources) == 1
	})
	eventually(t, "the group's document is listed", func() bool {
		paths, err := client.Discovery().OpenAPIV3().Paths()
		return err == nil && paths["apis/far.example.com/v1"] != nil
	})
	paths, err := client.Discovery().OpenAPIV3().Paths()
	if err != nil {
		t.Fatal(err)
	}
	if document, err := paths["apis/far.example.com/v1"].Schema("application/json"); err != nil || len(document) == 0 {
		t.Errorf("document %s, %v", document, err)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if user := far.users["/openapi/v3"]; user != "front-proxy-client for system:aggregator" {
		t.Errorf("documents were asked for by %q", user)
	}
}

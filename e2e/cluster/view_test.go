package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/guard"
	"github.com/coracle-k8s/coracle/view"
)

// anonymous is a client whom the server trusts with nothing.
func anonymous(t *testing.T, c *cluster.Cluster) (*http.Client, string) {
	t.Helper()
	config, err := c.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: transport, Timeout: await.Limit}, config.Host
}

func status(t *testing.T, client *http.Client, url string) (int, http.Header) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header
}

func TestViewIsServedToAnybodyAndHoldsNothing(t *testing.T) {
	c, _ := start(t, cluster.Options{UI: true})
	client, host := anonymous(t, c)
	code, header := status(t, client, host+"/ui/")
	if code != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d, %v", code, header)
	}
	for _, path := range []string{"/api/v1/pods", "/ui/session", "/ui/streams", "/uid", "/ui/../api/v1/secrets"} {
		if code, _ := status(t, client, host+path); code < 400 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestNoViewIsServedUnlessAskedFor(t *testing.T) {
	c, _ := start(t, cluster.Options{})
	client, host := anonymous(t, c)
	if code, _ := status(t, client, host+"/ui/"); code < 400 {
		t.Errorf("the page: %d", code)
	}
}

// reader is the config of a service account that may read all but Secrets.
func reader(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) *rest.Config {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
	if _, err := client.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "reader"}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "reader", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := c.AdminConfig()
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = token.Status.Token
	return config
}

func TestViewCanDoWhatItsUserMay(t *testing.T) {
	c, client := start(t, cluster.Options{})
	makeConfigMap(t, client, "kept")
	ask := serveView(t, reader(t, c, client))
	await.Until(t, "the reader may read", func() bool {
		return ask(http.MethodGet, "/api/v1/namespaces/default/configmaps/kept", "") == http.StatusOK
	})
	for _, refused := range [][3]string{
		{http.MethodGet, "/api/v1/secrets"},
		{http.MethodGet, "/api/v1/namespaces/kube-system/secrets?watch=1"},
		{http.MethodDelete, "/api/v1/namespaces/default/configmaps/kept"},
		{http.MethodDelete, "/api/v1/namespaces/default/configmaps"},
		{http.MethodPost, "/api/v1/namespaces", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mine"}}`},
		{http.MethodPut, "/api/v1/namespaces/default/configmaps/kept", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"}}`},
		{http.MethodPost, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}`},
		{http.MethodPost, "/api/v1/namespaces/default/serviceaccounts/default/token", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest"}`},
	} {
		if code := ask(refused[0], refused[1], refused[2]); code != http.StatusForbidden {
			t.Errorf("%s %s: %d", refused[0], refused[1], code)
		}
	}
	if !hasConfigMap(t, client, "kept") {
		t.Error("a reader's view deleted it")
	}
}

// serveView serves a view with config's credentials. What it returns asks from within a session.
func serveView(t *testing.T, config *rest.Config) func(method, path, body string) int {
	t.Helper()
	listener, err := view.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	said, says := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	var serving guard.Group
	serving.Go("serving the view", func() {
		if err := view.Serve(ctx, listener, view.Options{Config: config, Context: "test", Out: says}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); said.Close(); serving.Wait() })
	addresses := make(chan string, 8)
	guard.Go("reading addresses", func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if _, key, ok := strings.Cut(lines.Text(), "#key="); ok {
				addresses <- key
			}
		}
	})
	origin := "http://" + listener.Addr().String()
	do := func(method, path, body string, header http.Header) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		response, err := await.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	key := await.Receive(t, addresses, "the view says where it is")
	entered := do(http.MethodPost, "/ui/session", `{"Key":"`+key+`"}`, http.Header{"Content-Type": {"application/json"}, "X-Coracle-View": {"enter"}})
	var session struct{ Token string }
	if err := json.NewDecoder(entered.Body).Decode(&session); err != nil {
		t.Fatal(err)
	}
	cookie := entered.Header.Get("Set-Cookie")
	cookie, _, _ = strings.Cut(cookie, ";")
	return func(method, path, body string) int {
		return do(method, path, body, http.Header{"Content-Type": {"application/json"}, "Cookie": {cookie}, "X-Coracle-View": {session.Token}}).StatusCode
	}
}

package api

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// ask asks beneath server.EtcdPath.
func ask(t *testing.T, c *rest.Config, method, path string) (code int, body []byte) {
	t.Helper()
	client, err := rest.HTTPClientFor(c)
	must(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, c.Host+server.EtcdPath+path, http.NoBody)
	must(t, err)
	answer, err := client.Do(r)
	must(t, err)
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, body
}

// A snapshot is had from the running server by its masters only, and makes its state again. Clients that have seen what came after it
// list again and then see what there is.
func TestSnapshotOfARunningServerIsRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address := freeAddress(t)
	p := &apitest.Process{Dir: dir, Address: address}
	p.Start(t)
	t.Cleanup(p.Kill)
	admin, err := p.Admin()
	must(t, err)
	client := kubernetes.NewForConfigOrDie(admin)
	ctx := apitest.Context(t)
	_, err = client.CoreV1().ConfigMaps("default").Create(ctx, configMap("before"), metav1.CreateOptions{})
	must(t, err)
	_, err = client.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"a": []byte("correct horse")}}, metav1.CreateOptions{})
	must(t, err)

	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "all"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "boss"}},
	}, metav1.CreateOptions{})
	must(t, err)
	boss := rest.CopyConfig(admin)
	boss.Impersonate.UserName = "boss"
	if code, _ := ask(t, boss, http.MethodGet, "snapshot"); code != http.StatusForbidden {
		t.Errorf("whoever may do everything, but is no master, gets %d", code)
	}
	nobody := &rest.Config{Host: admin.Host, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	if code, _ := ask(t, nobody, http.MethodGet, "snapshot"); code != http.StatusUnauthorized {
		t.Errorf("anonymous users get %d", code)
	}
	if code, body := ask(t, admin, http.MethodPost, "defragmentation"); code != http.StatusOK {
		t.Errorf("defragmenting: %d %s", code, body)
	}
	if code, body := ask(t, admin, http.MethodGet, "status?contents=true"); code != http.StatusOK || !strings.Contains(string(body), `"clusterroles"`) {
		t.Errorf("status: %d %s", code, body)
	}
	code, snapshot := ask(t, admin, http.MethodGet, "snapshot")
	if code != http.StatusOK || strings.Contains(string(snapshot), "correct horse") {
		t.Fatalf("snapshot: %d, or a Secret in the clear", code)
	}
	path := filepath.Join(t.TempDir(), "s.db")
	must(t, os.WriteFile(path, snapshot, 0o600))

	later, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap("after"), metav1.CreateOptions{})
	must(t, err)
	p.Kill()
	_, err = storage.Restore(ctx, path, filepath.Join(dir, "etcd"))
	must(t, err)
	p.Start(t)
	if _, err := client.CoreV1().ConfigMaps("default").Get(ctx, "before", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := client.CoreV1().ConfigMaps("default").Get(ctx, "after", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what came after: %v", err)
	}
	if s, err := client.CoreV1().Secrets("default").Get(ctx, "s", metav1.GetOptions{}); err != nil || string(s.Data["a"]) != "correct horse" {
		t.Errorf("the Secret: %v", err)
	}
	w, err := client.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{ResourceVersion: later.ResourceVersion})
	if err == nil {
		defer w.Stop()
		select {
		case e := <-w.ResultChan():
			err = apierrors.FromObject(e.Object)
		case <-time.After(time.Minute):
			t.Fatal("waiting for an answer to a watch from the future")
		}
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a watch from the future ends with %v", err)
	}
}

// A full database does not keep a server from starting, is seen, and is written to again after something has been deleted.
func TestFullDatabaseIsSeenAndRecovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// The port stays: for another one Service kubernetes would have to be written.
	small := func(c *server.Config) { c.EtcdQuota, c.AdvertisePort = 16<<20, 6443 }
	r, stop := apitest.StartIn(t, dir, small)
	ctx, client := apitest.Context(t), r.Client(t)
	big := configMap("")
	big.GenerateName, big.Data = "big-", map[string]string{"x": strings.Repeat("x", 1<<20-100)}
	var err error
	for range 1000 {
		if _, err = client.CoreV1().ConfigMaps("default").Create(ctx, big, metav1.CreateOptions{}); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "space") {
		t.Fatalf("the database is never full: %v", err)
	}
	component, err := client.CoreV1().ComponentStatuses().Get(ctx, "etcd-0", metav1.GetOptions{}) //nolint:staticcheck // it is still there
	if err != nil || component.Conditions[0].Status != corev1.ConditionFalse || !strings.Contains(component.Conditions[0].Error, "quota") {
		t.Errorf("its status: %+v, %v", component.Conditions, err)
	}
	stop()
	r, stop = apitest.StartIn(t, dir, small)
	defer stop()
	client = r.Client(t)
	must(t, client.CoreV1().ConfigMaps("default").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	soon(t, "it can be written to", func() error {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap("x"), metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	soon(t, "an Event tells of it", func() error {
		events, err := client.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "reason=EtcdNearlyFull"})
		if err == nil && (len(events.Items) == 0 || !strings.Contains(events.Items[0].Message, "configmaps")) {
			t.Logf("%v", events.Items)
			return os.ErrNotExist
		}
		return err
	})
}

package host

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func adminKubeconfig(t *testing.T, server string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: []byte("ca")}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: []byte("cert"), ClientKeyData: []byte("key")}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "admin.conf")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustMerge(t *testing.T, file kubeconfigFile, admin, dataDir, wantName string) *clientcmdapi.Config {
	t.Helper()
	name, err := mergeContext(file, admin, dataDir)
	if err != nil {
		t.Fatal(err)
	}
	if name != wantName {
		t.Fatalf("context is called %q, want %q", name, wantName)
	}
	config, err := clientcmd.LoadFromFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

const foreign = `apiVersion: v1
kind: Config
current-context: work
clusters:
- name: work
  cluster: {server: "https://work:6443"}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: mine}
users:
- name: me
  user: {token: t}
`

func TestMergeMakesTheFileOfANewUser(t *testing.T) {
	file := kubeconfigFile{path: filepath.Join(t.TempDir(), ".kube", "config"), uid: -1, gid: -1}
	config := mustMerge(t, file, adminKubeconfig(t, "https://127.0.0.1:6443"), "/data", "coracle")
	if config.CurrentContext != "coracle" {
		t.Errorf("current-context is %q, want ours in a new file", config.CurrentContext)
	}
	if got := config.Clusters["coracle"].Server; got != "https://127.0.0.1:6443" {
		t.Errorf("server is %q", got)
	}
	info, err := os.Stat(file.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %o, want 600: it holds a key", info.Mode().Perm())
	}
}

func TestUsersKubeconfigIsFound(t *testing.T) {
	t.Setenv("SUDO_USER", "")
	ours, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Skip("we are nobody: ", err)
	}
	for _, test := range []struct{ home, kubeconfig, want string }{
		{"/home/me", "", "/home/me/.kube/config"},
		{"", "", filepath.Join(ours.HomeDir, ".kube", "config")},
		{"/home/me", "one:two", "one"},
		{"/home/me", ":two", "two"},
	} {
		t.Setenv("HOME", test.home)
		t.Setenv("KUBECONFIG", test.kubeconfig)
		if file, err := usersKubeconfig(); err != nil || file.path != test.want {
			t.Errorf("with HOME=%s KUBECONFIG=%s: %s (%v), want %s", test.home, test.kubeconfig, file.path, err, test.want)
		}
	}
}

func TestMergeAndRemoveLeaveOtherEntriesAlone(t *testing.T) {
	file := kubeconfigFile{path: filepath.Join(t.TempDir(), "config"), uid: -1, gid: -1}
	if err := os.WriteFile(file.path, []byte(foreign), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := clientcmd.LoadFromFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	admin := adminKubeconfig(t, "https://127.0.0.1:6443")
	config := mustMerge(t, file, admin, "/data", "coracle")
	if config.CurrentContext != "work" {
		t.Errorf("current-context is %q, want the user's own", config.CurrentContext)
	}
	mustMerge(t, file, admin, "/data", "coracle") // again
	if err := removeContext(file, "/other"); err != nil {
		t.Fatal(err)
	}
	if config, err = clientcmd.LoadFromFile(file.path); err != nil || config.Contexts["coracle"] == nil {
		t.Fatalf("another cluster's removal took ours (%v)", err)
	}
	if err := removeContext(file, "/data"); err != nil {
		t.Fatal(err)
	}
	after, err := clientcmd.LoadFromFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the user's entries changed (-before +after):\n%s", diff)
	}
	info, err := os.Stat(file.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %o, though it holds the administrator's key", info.Mode().Perm())
	}
}

func TestMergeKeepsClustersOfDifferentDirectoriesApart(t *testing.T) {
	file := kubeconfigFile{path: filepath.Join(t.TempDir(), "config"), uid: -1, gid: -1}
	mustMerge(t, file, adminKubeconfig(t, "https://127.0.0.1:6443"), "/var/lib/coracle", "coracle")
	config := mustMerge(t, file, adminKubeconfig(t, "https://127.0.0.1:7443"), "/srv/second", "coracle-second")
	if got := config.Clusters["coracle"].Server; got != "https://127.0.0.1:6443" {
		t.Errorf("the first cluster's server became %q", got)
	}
}

func TestMergeRefusesAFileItCannotRead(t *testing.T) {
	file := kubeconfigFile{path: filepath.Join(t.TempDir(), "config"), uid: -1, gid: -1}
	broken := []byte("clusters: [")
	if err := os.WriteFile(file.path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mergeContext(file, adminKubeconfig(t, "https://127.0.0.1:6443"), "/data"); err == nil {
		t.Error("no error")
	}
	if got, _ := os.ReadFile(file.path); string(got) != string(broken) {
		t.Errorf("the file was changed to %q", got)
	}
}

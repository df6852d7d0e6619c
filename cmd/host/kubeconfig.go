package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextName is that of our entry in the user's kubeconfig.
const contextName = "coracle"

// extensionName marks entries as ours and says which data directory they belong to.
const extensionName = "coracle-data-dir"

// kubeconfigFile is a user's kubeconfig and who owns it.
type kubeconfigFile struct {
	path     string
	uid, gid int // -1: whoever we are
}

// usersKubeconfig is $KUBECONFIG's first file, or that of the user who called, through sudo perhaps. What starts with a machine has
// no $HOME.
func usersKubeconfig() (kubeconfigFile, error) {
	file := kubeconfigFile{uid: -1, gid: -1}
	home, err := os.UserHomeDir()
	if err != nil {
		var u *user.User
		if u, err = user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
			home = u.HomeDir
		}
	}
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		u, lookupErr := user.Lookup(name)
		if lookupErr != nil {
			return file, fmt.Errorf("looking up %s, who called sudo: %w", name, lookupErr)
		}
		home, err = u.HomeDir, nil
		file.uid, _ = strconv.Atoi(u.Uid)
		file.gid, _ = strconv.Atoi(u.Gid)
	}
	for _, path := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if path != "" {
			file.path = path
			return file, nil
		}
	}
	if err != nil {
		return file, fmt.Errorf("finding the home directory: %w", err)
	}
	file.path = filepath.Join(home, ".kube", "config")
	return file, nil
}

// mergeContext puts the cluster of admin (a kubeconfig file) into the user's kubeconfig, as a context of our own, and returns
// the context's name. Other entries stay as they are; current-context is set only if it is empty. Idempotent.
func mergeContext(file kubeconfigFile, admin, dataDir string) (string, error) {
	from, err := clientcmd.LoadFromFile(admin)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", admin, err)
	}
	entry := from.Contexts[from.CurrentContext]
	if entry == nil || from.Clusters[entry.Cluster] == nil || from.AuthInfos[entry.AuthInfo] == nil {
		return "", fmt.Errorf("reading %s: its current context is incomplete", admin)
	}
	into, err := load(file.path)
	if err != nil {
		return "", err
	}
	name := freeName(into, dataDir)
	cluster := from.Clusters[entry.Cluster].DeepCopy()
	cluster.Extensions = map[string]runtime.Object{extensionName: &runtime.Unknown{Raw: []byte(strconv.Quote(dataDir)), ContentType: runtime.ContentTypeJSON}}
	into.Clusters[name], into.AuthInfos[name] = cluster, from.AuthInfos[entry.AuthInfo]
	context := clientcmdapi.NewContext()
	if old := into.Contexts[name]; old != nil {
		context = old // the user may have chosen a namespace
	}
	context.Cluster, context.AuthInfo = name, name
	into.Contexts[name] = context
	if into.CurrentContext == "" {
		into.CurrentContext = name
	}
	return name, file.save(into, 0o700)
}

// removeContext takes the entries of dataDir's cluster out again. A file without them is not written.
func removeContext(file kubeconfigFile, dataDir string) error {
	if _, err := os.Stat(file.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	config, err := load(file.path)
	if err != nil {
		return err
	}
	changed := false
	for name, cluster := range config.Clusters {
		if ownerOf(cluster) != dataDir {
			continue
		}
		delete(config.Clusters, name)
		delete(config.AuthInfos, name)
		delete(config.Contexts, name)
		if config.CurrentContext == name {
			config.CurrentContext = ""
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return file.save(config, 0o777)
}

// freeName is ours, or one with the directory's name where another data directory's cluster has taken that.
func freeName(config *clientcmdapi.Config, dataDir string) string {
	taken := func(name string) bool {
		_, context := config.Contexts[name]
		cluster := config.Clusters[name]
		return (context || cluster != nil) && ownerOf(cluster) != dataDir
	}
	name := contextName
	for i := 1; taken(name); i++ {
		name = contextName + "-" + filepath.Base(dataDir)
		if i > 1 {
			name += "-" + strconv.Itoa(i)
		}
	}
	return name
}

// ownerOf is the data directory of a cluster entry that is ours.
func ownerOf(cluster *clientcmdapi.Cluster) string {
	if cluster == nil {
		return ""
	}
	mark, ok := cluster.Extensions[extensionName].(*runtime.Unknown)
	if !ok {
		return ""
	}
	dir, _ := strconv.Unquote(strings.TrimSpace(string(mark.Raw)))
	return dir
}

func load(path string) (*clientcmdapi.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w; mend it or name another file in KUBECONFIG", path, err)
	}
	return config, nil
}

// save writes the file in one step, with the owner it had and those of its permissions that are allowed, or 0600 and its user's. A file
// that gets the administrator's key is for its owner alone, as those that kubectl and kubeadm make, whatever it was before.
func (f kubeconfigFile) save(config *clientcmdapi.Config, allowed fs.FileMode) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", f.path, err)
	}
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		path = f.path
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.Chown(dir, f.uid, f.gid); err != nil {
			return err
		}
	}
	mode, uid, gid := fs.FileMode(0o600), f.uid, f.gid
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm() & allowed
		uid, gid = ownerIDs(info, uid, gid)
	}
	return writeFile(path, content, mode, uid, gid)
}

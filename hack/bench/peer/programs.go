package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-k8s/coracle/e2e/conformance/build"
)

// The modules that say of which version everything is. Those that others here have are theirs.
const (
	modules = "hack/bench/peer/modules"
	release = modules + "/kubernetes"
	runtime = "hack/runtime/modules"
)

// programs are all that runs: what each is for is in arguments.go. Containerd is without the file systems that nobody here
// has, CoreDNS without the plugins that nobody here uses.
func programs() []build.Program {
	const containerd = "github.com/containerd/containerd/v2"
	const plugins = "github.com/containernetworking/plugins/plugins"
	list := []build.Program{{Name: "etcd", Module: build.Modules + "/etcd", Package: "go.etcd.io/etcd/server/v3"}}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		list = append(list, build.Program{Name: name, Module: release, Package: "k8s.io/kubernetes/cmd/" + name})
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2"} {
		list = append(list, build.Program{Name: name, Module: modules + "/containerd", Package: containerd + "/cmd/" + name, Tags: "no_btrfs,no_zfs,no_devmapper"})
	}
	list = append(list, build.Program{
		Name: "runc", Module: runtime, Package: "github.com/opencontainers/runc",
		Cgo: true, Tags: "seccomp,netgo,osusergo,urfave_cli_no_docs", Flags: "-linkmode external -extldflags -static",
	})
	for _, plugin := range []string{"main/bridge", "main/loopback", "ipam/host-local", "meta/portmap"} {
		list = append(list, build.Program{Name: path.Base(plugin), Module: modules + "/containerd", Package: plugins + "/" + plugin})
	}
	return append(list, build.Program{Name: "coredns", Module: modules + "/coredns", Package: "."})
}

// Programs builds those of upstream's programs that a cache, given by its absolute path, does not hold yet and returns the
// folder they are in, one for each state of the modules. It is to be called in the repository's root. Progress is told on out:
// the first time takes minutes.
func Programs(ctx context.Context, cache string, out io.Writer) (string, error) {
	list := programs()
	key, err := key(os.DirFS("."), list)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "programs-"+key)
	missing := build.Missing(dir, list)
	if len(missing) == 0 {
		return dir, nil
	}
	fmt.Fprintf(out, "building %d programs of upstream's into %s: minutes, the first time (PEER=none leaves them out)\n", len(missing), dir)
	flags, err := build.VersionFlags(ctx, release)
	if err != nil {
		return "", err
	}
	for i := range missing {
		if missing[i].Module == release {
			missing[i].Flags = flags
		}
	}
	return dir, build.Build(ctx, dir, missing, out)
}

// key stands for what decides on the programs: their modules, and how they are built.
func key(root fs.FS, list []build.Program) (string, error) {
	var files []string
	for _, p := range list {
		files = append(files, p.Module+"/go.mod", p.Module+"/go.sum")
	}
	slices.Sort(files)
	return build.Sum(root, append(slices.Compact(files), modules+"/coredns/main.go"), fmt.Sprint(list))
}

// Size is the sum of the programs' sizes in a folder, in bytes. It fails if one is not there.
func Size(dir string) (size int64, err error) {
	for _, p := range programs() {
		info, err := os.Stat(filepath.Join(dir, p.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("upstream's %s is not in %s", p.Name, dir)
		}
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}

// Version is that of Kubernetes, as the module asks for it.
func Version(root fs.FS) (string, error) {
	content, err := fs.ReadFile(root, release+"/go.mod")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		f := strings.Fields(line)
		if i := slices.Index(f, "k8s.io/kubernetes"); i >= 0 && i+1 < len(f) {
			return f[i+1], nil
		}
	}
	return "", errors.New("the module requires no k8s.io/kubernetes")
}

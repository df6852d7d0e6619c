package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/view"
)

// ViewOptions read a kubeconfig's context. Without a file it is found as kubectl finds it; who has none at all means this
// machine's own cluster.
func ViewOptions(kubeconfig, name string) (view.Options, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	if admin := filepath.Join(cluster.DefaultDataDir, cluster.AdminKubeconfig); kubeconfig == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		if _, err := os.Stat(clientcmd.RecommendedHomeFile); errors.Is(err, fs.ErrNotExist) {
			rules.ExplicitPath = admin
		}
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name})
	raw, err := loader.RawConfig()
	if err != nil {
		return view.Options{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if name == "" {
		name = raw.CurrentContext
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return view.Options{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return view.Options{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return view.Options{Config: config, Context: name, Namespace: namespace}, nil
}

// OpenBrowser opens address in the user's browser, by way of a file that only the user can read and that is there until ctx ends:
// arguments of processes are for all to see, and address holds a secret.
func OpenBrowser(ctx context.Context, address string) error {
	program, err := exec.LookPath("xdg-open")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "coracle-ui-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "open.html")
	markup := fmt.Sprintf("<!doctype html><meta http-equiv=\"refresh\" content=\"0;url=%s\">", address)
	if err := os.WriteFile(file, []byte(markup), 0o600); err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, program, file).Run(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

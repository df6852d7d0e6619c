package main

import (
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// kubectl runs the unmodified kubectl with args. Where the user has no kubeconfig at all it talks to this machine's cluster.
func kubectl(args []string) int {
	if admin := filepath.Join(cluster.DefaultDataDir, cluster.AdminKubeconfig); noKubeconfig() && readable(admin) {
		if err := os.Setenv(clientcmd.RecommendedConfigPathEnvVar, admin); err != nil {
			return 1
		}
	}
	os.Args = append([]string{"kubectl"}, args...) // kubectl looks for plugins and aliases there
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	return 0
}

func noKubeconfig() bool {
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return false
	}
	_, err := os.Stat(clientcmd.RecommendedHomeFile)
	return err != nil
}

func readable(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

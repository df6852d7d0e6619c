package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
	"github.com/coracle-k8s/coracle/cmd/cluster/pki"
)

const (
	// factsFile keeps in the data directory what the cluster told, for starts while its server is away.
	factsFile = "cluster.json"
	// oneTry bounds a question to the server.
	oneTry     = 5 * time.Second
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

// learn asks the server what a node must know of the cluster. While the server is away the last answer counts; without one it
// keeps asking.
func learn(ctx context.Context, client kubernetes.Interface, dataDir string) (bootstrap.Cluster, error) {
	log, file := klog.FromContext(ctx), filepath.Join(dataDir, factsFile)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		facts, err := ask(ctx, client, file)
		if err == nil || ctx.Err() != nil {
			return facts, err
		}
		if known, knownErr := remembered(file); knownErr == nil {
			log.Info("The server is away: containers run on, and Pods are seen to when it is back", "error", err.Error())
			return known, nil
		}
		log.Error(err, "Asking the server about the cluster, trying again", "after", pause)
		select {
		case <-ctx.Done():
			return facts, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// outside returns an error if this machine or the server has an address of the cluster's own: here it would lead to a Pod or a Service.
func outside(c bootstrap.Cluster, machine, server string) error {
	at, err := url.Parse(server)
	if err != nil {
		return fmt.Errorf("reading the server's URL: %w", err)
	}
	for _, network := range []netip.Prefix{c.PodCIDR, c.ServiceCIDR} {
		for whose, address := range map[string]string{"this machine's address": machine, "the server's address": at.Hostname()} {
			if a, err := netip.ParseAddr(address); err == nil && network.Contains(a.Unmap()) { // of a name nobody knows
				return fmt.Errorf("%s, %s, lies within %s, which the cluster uses itself", whose, a, network)
			}
		}
	}
	return nil
}

func ask(ctx context.Context, client kubernetes.Interface, file string) (bootstrap.Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, oneTry)
	defer cancel()
	told, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, bootstrap.ConfigMapName, metav1.GetOptions{})
	if err != nil {
		return bootstrap.Cluster{}, fmt.Errorf("reading config map %s/%s: %w", metav1.NamespaceSystem, bootstrap.ConfigMapName, err)
	}
	facts, err := bootstrap.ClusterOf(told.Data)
	if err != nil {
		return facts, err
	}
	return facts, remember(file, told.Data)
}

func remember(file string, data map[string]string) error {
	content, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", file, err)
	}
	return pki.WriteFile(file, append(content, '\n'), 0o600)
}

func remembered(file string) (bootstrap.Cluster, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return bootstrap.Cluster{}, err
	}
	var data map[string]string
	if err := json.Unmarshal(content, &data); err != nil {
		return bootstrap.Cluster{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return bootstrap.ClusterOf(data)
}

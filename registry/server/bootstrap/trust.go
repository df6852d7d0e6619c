package bootstrap

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Trust is what ConfigMap extension-apiserver-authentication tells aggregated API servers.
// https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#contacting-the-extension-apiserver
type Trust struct {
	// ClientCA, in PEM, signs users; ProxyCA the proxies that may name users and whose common names are ProxyNames.
	ClientCA, ProxyCA []byte
	ProxyNames        []string
	// The headers in which proxies name users.
	UserHeaders, UIDHeaders, GroupHeaders, ExtraPrefixes []string
}

const trustName = "extension-apiserver-authentication"

// ensureTrust adds to what is there: other servers of the cluster may have other authorities.
func ensureTrust(ctx context.Context, c Config) error {
	wanted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: trustName, Namespace: metav1.NamespaceSystem}}
	var failed error
	add := func(into *corev1.ConfigMap) bool {
		merged, err := c.Trust.mergedWith(into.Data)
		if err != nil {
			failed = fmt.Errorf("reading ConfigMap %s: %w", into.Name, err)
			return false
		}
		changed := !maps.Equal(merged, into.Data)
		into.Data = merged
		return changed
	}
	add(wanted)
	err := keep(ctx, c.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem), wanted, add)
	if err == nil {
		err = failed
	}
	return err
}

func (t Trust) mergedWith(data map[string]string) (map[string]string, error) {
	merged := maps.Clone(data)
	if merged == nil {
		merged = map[string]string{}
	}
	if len(t.ClientCA) > 0 {
		merged["client-ca-file"] = certificates(data["client-ca-file"], t.ClientCA)
	}
	if len(t.ProxyCA) == 0 {
		return merged, nil
	}
	merged["requestheader-client-ca-file"] = certificates(data["requestheader-client-ca-file"], t.ProxyCA)
	for key, values := range map[string][]string{
		"requestheader-allowed-names":        t.ProxyNames,
		"requestheader-username-headers":     t.UserHeaders,
		"requestheader-uid-headers":          t.UIDHeaders,
		"requestheader-group-headers":        t.GroupHeaders,
		"requestheader-extra-headers-prefix": t.ExtraPrefixes,
	} {
		list, err := union(data[key], values)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key, err)
		}
		merged[key] = list
	}
	return merged, nil
}

// union is a JSON list of what is listed already, and more.
func union(listed string, more []string) (string, error) {
	all := []string{}
	if listed != "" {
		if err := json.Unmarshal([]byte(listed), &all); err != nil {
			return "", err
		}
	}
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	encoded, err := json.Marshal(all)
	return string(encoded), err
}

// certificates are those in PEM texts, each once.
func certificates(texts string, more []byte) string {
	var out bytes.Buffer
	seen := map[string]bool{}
	for rest := append([]byte(texts), more...); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out.String()
		}
		if !seen[string(block.Bytes)] {
			seen[string(block.Bytes)] = true
			out.Write(pem.EncodeToMemory(block))
		}
	}
}

// Package bootstrap serves the tokens by which Nodes join: it signs the public cluster-info with them, and deletes them
// when they expire.
//
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
package bootstrap

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/util/secrets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// SignerName is the signer's, and that of its service account in kube-system.
const SignerName = "bootstrap-signer"

type signer struct {
	client client.Client
	now    func() time.Time
}

// RegisterSigner puts the signer on the manager. It wakes for cluster-info and for tokens.
func RegisterSigner(mgr manager.Manager, c client.Client) error {
	r := &signer{client: c, now: time.Now}
	isClusterInfo := func(m *corev1.ConfigMap) bool {
		return m.Namespace == metav1.NamespacePublic && m.Name == api.ConfigMapClusterInfo
	}
	clusterInfo := func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{loop.Request(metav1.NamespacePublic, api.ConfigMapClusterInfo)}
	}
	return loop.New(mgr, SignerName, 1).
		For(&corev1.ConfigMap{}, loop.Only(loop.Where(isClusterInfo))).
		Watches(&corev1.Secret{}, loop.ToRequests(clusterInfo), loop.Only(loop.Where(isToken))).
		Complete(loop.Contained(SignerName, reconcile.AsReconciler[*corev1.ConfigMap](c, r)))
}

func isToken(secret *corev1.Secret) bool {
	return secret.Namespace == metav1.NamespaceSystem && secret.Type == api.SecretTypeBootstrapToken
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *signer) Reconcile(ctx context.Context, info *corev1.ConfigMap) (reconcile.Result, error) {
	var list corev1.SecretList
	if err := r.client.List(ctx, &list, client.InNamespace(metav1.NamespaceSystem)); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing tokens: %w", err)
	}
	signed := sign(info.Data, tokens(list.Items, r.now()))
	if maps.Equal(signed, info.Data) {
		return reconcile.Result{}, nil
	}
	changed := info.DeepCopy()
	changed.Data = signed
	if err := r.client.Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("signing %s: %w", client.ObjectKeyFromObject(info), err)
	}
	return reconcile.Result{}, nil
}

// tokens returns the secrets, by ID, of the tokens that may sign.
func tokens(all []corev1.Secret, now time.Time) map[string]string {
	valid := map[string]string{}
	for i := range all {
		secret := &all[i]
		name, named := secrets.ParseName(secret.Name)
		id, key := secrets.GetData(secret, api.BootstrapTokenIDKey), secrets.GetData(secret, api.BootstrapTokenSecretKey)
		switch {
		case !isToken(secret) || !named || id != name || key == "":
		case secrets.HasExpired(secret, now):
		case secrets.GetData(secret, api.BootstrapTokenUsageSigningKey) != "true":
		default:
			valid[id] = key
		}
	}
	return valid
}

// sign returns data with a signature of each token on its kubeconfig, and no others.
func sign(data, tokens map[string]string) map[string]string {
	kubeconfig, has := data[api.KubeConfigKey]
	if !has {
		return data
	}
	signed := map[string]string{}
	for key, value := range data {
		if !strings.HasPrefix(key, api.JWSSignatureKeyPrefix) {
			signed[key] = value
		}
	}
	for id, key := range tokens {
		signed[api.JWSSignatureKeyPrefix+id] = signature(kubeconfig, id, key)
	}
	return signed
}

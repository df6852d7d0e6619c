package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// settling is how long a name belongs to the machine that got a certificate for it and has not made its Node yet.
const settling = time.Minute

// joining are the names of nodes that were let in and are not there yet.
type joining struct {
	mu    sync.Mutex
	names map[string]newcomer
}

type newcomer struct {
	request types.UID
	until   time.Time
}

// claim takes a name for a request, unless another has it.
func (j *joining) claim(name string, request types.UID, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if by, taken := j.names[name]; taken && by.request != request && now.Before(by.until) {
		return false
	}
	if j.names == nil {
		j.names = map[string]newcomer{}
	}
	j.names[name] = newcomer{request, now.Add(settling)}
	return true
}

// arrived gives a name back: its Node is there, or has been.
func (j *joining) arrived(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.names, name)
}

// approveJoining approves the client certificate of a node that somebody with the right to it asks for, once for each node: who has it
// is that node, reads its Secrets and acts for its Pods. Upstream does not ask whether the node is there:
// https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#approval. Who joins by a token is told why it may
// not, others may be approved by people.
func (r *controller) approveJoining(ctx context.Context, csr *request, node string) (verdict, error) {
	why, err := r.objection(ctx, node)
	if err != nil {
		return verdict{}, err
	}
	if why == "" && !r.joining.claim(node, csr.UID, r.now()) {
		why = fmt.Sprintf("another machine is joining as %s just now: choose another --node-name", node)
	}
	token, byToken := tokenOf(csr)
	if why == "" && byToken {
		if why, err = r.useToken(ctx, csr, token, node); err != nil {
			return verdict{}, err
		}
		if why != "" {
			r.joining.arrived(node)
		}
	}
	switch {
	case why == "":
		return r.writeApproval(ctx, csr, "Auto approving kubelet client certificate after SubjectAccessReview.")
	case byToken:
		return r.writeDenial(ctx, csr, why)
	}
	r.doubts.tell(csr, why)
	return verdict{}, nil
}

// objection says why nobody new can be a node, or nothing.
func (r *controller) objection(ctx context.Context, node string) (string, error) {
	servers, err := r.servers(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(servers.Nodes(), node):
		return fmt.Sprintf("%s is a server of the cluster: choose another --node-name", node), nil
	case r.places.isService(node):
		return fmt.Sprintf("%s is what a Service may be called: choose another --node-name", node), nil
	}
	err = r.client.Get(ctx, types.NamespacedName{Name: node}, &corev1.Node{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("asking for node %s: %w", node, err)
	}
	return fmt.Sprintf("a node %s is in the cluster already: choose another --node-name, or, if this machine is to take its place, kubectl delete node %s first", node, node), nil
}

// useToken counts the use of a token, or says why it cannot be used.
func (r *controller) useToken(ctx context.Context, csr *request, id, node string) (string, error) {
	var secret corev1.Secret
	err := r.client.Get(ctx, types.NamespacedName{Namespace: metav1.NamespaceSystem, Name: api.BootstrapTokenSecretPrefix + id}, &secret)
	if apierrors.IsNotFound(err) {
		return "the token has expired or was deleted: make one with coracle token create", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading token %s: %w", id, err)
	}
	secret = *secret.DeepCopy() // what the cache gave is everybody's
	changed, err := bootstrap.UseToken(&secret, node, string(csr.UID), r.now())
	if errors.Is(err, bootstrap.ErrUsedUp) {
		return err.Error(), nil
	}
	if err != nil {
		return "the token cannot be counted: " + err.Error(), nil
	}
	if !changed {
		return "", nil
	}
	if err := r.client.Update(ctx, &secret); err != nil {
		return "", fmt.Errorf("counting the use of token %s: %w", id, err)
	}
	return "", nil
}

// tokenOf is the ID of the token that a request was made by, if it was.
func tokenOf(csr *request) (id string, byToken bool) {
	if !slices.Contains(csr.Spec.Groups, api.BootstrapDefaultGroup) {
		return "", false
	}
	return strings.CutPrefix(csr.Spec.Username, api.BootstrapUserPrefix)
}

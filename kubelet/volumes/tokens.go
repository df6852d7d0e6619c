package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// maxTokenAge is when a token is renewed at the latest, however long it would be valid.
	maxTokenAge = 24 * time.Hour
	// retryToken is the pause before a renewal that failed is tried again; the old token is still valid.
	retryToken = time.Minute
)

// tokens holds the service account tokens of Pods until they are to be renewed: when 80 % of their life is over.
type tokens struct {
	client kubernetes.Interface

	mu    sync.Mutex
	known map[types.UID]map[string]token // by Pod and request
}

type token struct {
	value            string
	renewAt, expires time.Time
}

func newTokens(client kubernetes.Interface) *tokens {
	return &tokens{client: client, known: map[types.UID]map[string]token{}}
}

// get returns a token and when to ask for the next.
func (t *tokens) get(ctx context.Context, pod *corev1.Pod, request *authenticationv1.TokenRequest) (string, time.Time, error) {
	raw, err := json.Marshal(request.Spec)
	if err != nil {
		return "", time.Time{}, err
	}
	key, now := string(raw), time.Now()
	t.mu.Lock()
	have, ok := t.known[pod.UID][key]
	t.mu.Unlock()
	if ok && now.Before(have.renewAt) {
		return have.value, have.renewAt, nil
	}
	answer, err := t.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		if ok && now.Before(have.expires) {
			have.renewAt = now.Add(retryToken)
			t.keep(pod.UID, key, have)
			return have.value, have.renewAt, nil
		}
		return "", time.Time{}, fmt.Errorf("requesting a token of service account %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
	}
	fresh := token{value: answer.Status.Token, expires: answer.Status.ExpirationTimestamp.Time}
	life := min(fresh.expires.Sub(now)*8/10, maxTokenAge)
	// Spread, so that Pods that started together do not ask together.
	fresh.renewAt = now.Add(life - rand.N(max(life/50, time.Millisecond)))
	t.keep(pod.UID, key, fresh)
	return fresh.value, fresh.renewAt, nil
}

func (t *tokens) keep(pod types.UID, key string, value token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[pod] == nil {
		t.known[pod] = map[string]token{}
	}
	t.known[pod][key] = value
}

// firstRenewal returns the earliest renewal of a Pod's tokens.
func (t *tokens) firstRenewal(pod types.UID, at time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.known[pod] {
		if k.renewAt.Before(at) {
			at = k.renewAt
		}
	}
	return at
}

func (t *tokens) forget(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, pod)
}

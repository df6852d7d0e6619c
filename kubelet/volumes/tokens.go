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

// maxTokenAge is when a token is renewed at the latest, however long it would be valid.
const maxTokenAge = 24 * time.Hour

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

// get returns a token, which is due to be renewed at renewAt. stale says why it could not be renewed though it was due: it is valid
// still.
func (t *tokens) get(ctx context.Context, pod *corev1.Pod, request *authenticationv1.TokenRequest) (have token, stale, err error) {
	raw, err := json.Marshal(request.Spec)
	if err != nil {
		return token{}, nil, err
	}
	key, now := string(raw), time.Now()
	t.mu.Lock()
	have, ok := t.known[pod.UID][key]
	t.mu.Unlock()
	if ok && !passed(have.renewAt, now) {
		return have, nil, nil
	}
	answer, err := t.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		err = fmt.Errorf("requesting a token of service account %s/%s: %w", pod.Namespace, pod.Spec.ServiceAccountName, err)
		if ok && now.Before(have.expires) {
			return have, err, nil
		}
		return token{}, nil, err
	}
	fresh := token{value: answer.Status.Token, expires: answer.Status.ExpirationTimestamp.Time}
	valid := fresh.expires.Sub(now)
	if asked := answer.Spec.ExpirationSeconds; asked != nil { // the server's clock may be ahead of this one
		valid = min(valid, time.Duration(*asked)*time.Second)
	}
	life := min(valid*8/10, maxTokenAge)
	// Spread, so that Pods that started together do not ask together.
	fresh.renewAt = now.Add(life - rand.N(max(life/50, time.Millisecond)))
	t.keep(pod.UID, key, fresh)
	return fresh, nil, nil
}

func (t *tokens) keep(pod types.UID, key string, value token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[pod] == nil {
		t.known[pod] = map[string]token{}
	}
	t.known[pod][key] = value
}

func (t *tokens) forget(pod types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, pod)
}

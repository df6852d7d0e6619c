package volumes

import (
	"context"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// answerPatience is how long one attempt waits for a signer; the next goes on with the same request.
	answerPatience = 5 * time.Second
	answerPoll     = 100 * time.Millisecond
	// requestLife is when a request that is not there is taken for deleted, and not for too new to be seen.
	requestLife = 10 * time.Minute
	// spread keeps Pods that started together from renewing together.
	spread = 5 * time.Minute
)

// certificates holds the certificates of Pods, with their keys, until they are to be renewed. They are kept in memory alone: after a
// restart of the node, Pods get new ones.
type certificates struct {
	client kubernetes.Interface

	mu    sync.Mutex
	known map[types.UID]map[string]*certificate // by Pod and place in its volumes
}

// certificate is changed only by who has the Pod's turn.
type certificate struct {
	key, chain       []byte // PEM; none before the first is issued
	renewAt, expires time.Time
	asked            *asked
	// refused is the signer's no, which is final.
	refused error
}

// asked is a request that has no answer yet.
type asked struct {
	name string
	key  []byte
	at   time.Time
}

func newCertificates(client kubernetes.Interface) *certificates {
	return &certificates{client: client, known: map[types.UID]map[string]*certificate{}}
}

func (c *certificates) of(pod types.UID, place string) *certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[pod] == nil {
		c.known[pod] = map[string]*certificate{}
	}
	if c.known[pod][place] == nil {
		c.known[pod][place] = &certificate{}
	}
	return c.known[pod][place]
}

func (c *certificates) forget(pod types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, pod)
}

// get returns a certificate. stale says why it could not be renewed though it was due: it is valid still.
func (c *certificates) get(ctx context.Context, pod *corev1.Pod, place string, source *corev1.PodCertificateProjection) (have *certificate, stale, err error) {
	have = c.of(pod.UID, place)
	now := time.Now()
	if have.chain != nil && !passed(have.renewAt, now) {
		return have, nil, nil
	}
	if err = have.refused; err == nil {
		err = c.renew(ctx, pod, have, source)
	}
	switch {
	case err == nil:
		return have, nil, nil
	case have.chain != nil && now.Before(have.expires):
		return have, err, nil
	}
	return nil, nil, err
}

func (c *certificates) renew(ctx context.Context, pod *corev1.Pod, have *certificate, source *corev1.PodCertificateProjection) error {
	if have.asked == nil {
		fresh, err := c.ask(ctx, pod, source)
		if err != nil {
			return fmt.Errorf("requesting a certificate of %s for pod %s/%s: %w", source.SignerName, pod.Namespace, pod.Name, err)
		}
		have.asked = fresh
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	for poll := time.NewTicker(answerPoll); ; {
		answer, err := c.client.CertificatesV1().PodCertificateRequests(pod.Namespace).Get(ctx, have.asked.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) && time.Since(have.asked.at) > requestLife:
			poll.Stop()
			have.asked = nil
			return fmt.Errorf("request for a certificate is gone: %w", err)
		case err == nil && have.take(answer):
			poll.Stop()
			return have.refused
		}
		select {
		case <-ctx.Done():
			poll.Stop()
			return fmt.Errorf("credential bundle is not issued yet: request %s", have.asked.name)
		case <-poll.C:
		}
	}
}

// take reports whether the signer has answered.
func (have *certificate) take(request *certificatesv1.PodCertificateRequest) bool {
	for _, condition := range request.Status.Conditions {
		switch condition.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			if request.Status.BeginRefreshAt == nil || request.Status.NotAfter == nil {
				continue
			}
			have.key, have.chain = have.asked.key, cleaned(request.Status.CertificateChain)
			have.renewAt = request.Status.BeginRefreshAt.Add(rand.N(spread))
			have.expires = request.Status.NotAfter.Time
		case certificatesv1.PodCertificateRequestConditionTypeDenied:
			have.refused = fmt.Errorf("PodCertificateRequest was permanently denied: reason=%q message=%q", condition.Reason, condition.Message)
		case certificatesv1.PodCertificateRequestConditionTypeFailed:
			have.refused = fmt.Errorf("PodCertificateRequest was permanently failed: reason=%q message=%q", condition.Reason, condition.Message)
		default:
			continue
		}
		have.asked = nil
		return true
	}
	return false
}

// cleaned are the certificates without what may be between them.
func cleaned(chain string) (out []byte) {
	for block, rest := pem.Decode([]byte(chain)); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	return out
}

func (v *Volumes) addCertificate(ctx context.Context, out *contents, pod *corev1.Pod, place string, source *corev1.PodCertificateProjection, byDefault *int32) error {
	have, stale, err := v.certificates.get(ctx, pod, place, source)
	if err != nil {
		return err
	}
	add := func(path string, data []byte) {
		if path != "" {
			out.files[filepath.Clean(path)] = private(pod, data, byDefault)
		}
	}
	add(source.CredentialBundlePath, append(append([]byte{}, have.key...), have.chain...))
	add(source.KeyPath, have.key)
	add(source.CertificateChainPath, have.chain)
	out.renew(have.renewAt, stale)
	return nil
}

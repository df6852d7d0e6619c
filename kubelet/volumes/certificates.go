package volumes

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

const (
	// answerPatience is how long one attempt waits for a signer; the next goes on with the same request.
	answerPatience = 5 * time.Second
	// overdueAfter is how long after it was due a certificate that could not be renewed is told of.
	overdueAfter = 10 * time.Minute
	// spread keeps Pods that started together from renewing together.
	spread = 5 * time.Minute
)

// certificates holds the certificates of Pods, with their keys, until they are to be renewed. They are kept in memory alone: after a
// restart of the node, Pods get new ones.
type certificates struct {
	client kubernetes.Interface
	event  func(pod *corev1.Pod, reason, message string)

	mu    sync.Mutex
	known map[types.UID]map[string]*certificate // by Pod and place in its volumes
}

// certificate is changed only by who has the Pod's turn.
type certificate struct {
	key, chain       []byte // PEM; none before the first is issued
	renewAt, expires time.Time
	asked            *asked
	// refused is the signer's no, which is final, and denied whether that was before anything was made.
	refused error
	denied  bool
	// shown is what is told of it to anybody.
	shown atomic.Pointer[shown]
	// toldOverdue and toldExpired say what there was an Event about already.
	toldOverdue, toldExpired bool
}

// shown is what is known of a certificate.
type shown struct {
	signer                  string
	issued, refused, denied bool
	renewAt, expires        time.Time
}

// state is upstream's word for how a certificate is.
func (s *shown) state(now time.Time) string {
	switch {
	case s.denied:
		return "denied"
	case s.refused:
		return "failed"
	case !s.issued:
		return "not_yet_issued"
	case passed(s.expires, now):
		return "expired"
	case passed(s.renewAt.Add(overdueAfter), now):
		return "overdue_for_refresh"
	}
	return "fresh"
}

// CertificateKind is a signer's certificates that are in one state.
type CertificateKind struct{ Signer, State string }

// Certificates counts the certificates of Pods.
func (v *Volumes) Certificates(now time.Time) map[CertificateKind]int {
	counts := map[CertificateKind]int{}
	v.certificates.mu.Lock()
	defer v.certificates.mu.Unlock()
	for _, places := range v.certificates.known {
		for _, c := range places {
			if s := c.shown.Load(); s != nil {
				counts[CertificateKind{s.signer, s.state(now)}]++
			}
		}
	}
	return counts
}

// asked is a request that has no answer yet.
type asked struct {
	name string
	key  []byte
}

func newCertificates(client kubernetes.Interface, event func(pod *corev1.Pod, reason, message string)) *certificates {
	return &certificates{client: client, event: event, known: map[types.UID]map[string]*certificate{}}
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
	defer have.show(source.SignerName)
	now := time.Now()
	if have.chain != nil && !passed(have.renewAt, now) {
		return have, nil, nil
	}
	if err = have.refused; err == nil {
		err = c.renew(ctx, pod, have, source)
	}
	if err != nil && have.chain != nil {
		c.tell(pod, have, now)
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
	name := have.asked.name
	answer, err := c.answer(ctx, pod, name)
	switch {
	case apierrors.IsNotFound(err):
		have.asked = nil
		return fmt.Errorf("request for a certificate is gone: %w", err)
	case err != nil:
		return fmt.Errorf("credential bundle is not issued yet: request %s: %w", name, err)
	}
	have.take(answer)
	if have.refused != nil {
		verdict := verdictOn(answer)
		c.event(pod, verdict.Type, fmt.Sprintf("PodCertificateRequest %s/%s: %s: %s", pod.Namespace, name, verdict.Reason, verdict.Message))
	}
	return have.refused
}

// tell tells once that a certificate could not be renewed for long, and once that it has expired.
func (c *certificates) tell(pod *corev1.Pod, have *certificate, now time.Time) {
	if passed(have.renewAt.Add(overdueAfter), now) && !have.toldOverdue {
		have.toldOverdue = true
		c.event(pod, "CertificateOverdueForRefresh", "PodCertificate refresh overdue")
	}
	if passed(have.expires, now) && !have.toldExpired {
		have.toldExpired = true
		c.event(pod, "CertificateExpired", "PodCertificate expired")
	}
}

// answer is a request with the signer's verdict, for which it waits as long as ctx lasts. A request that is not there has been deleted:
// the list is of all that there is. Nodes may list and watch their own requests only, and must say so.
func (c *certificates) answer(ctx context.Context, pod *corev1.Pod, name string) (*certificatesv1.PodCertificateRequest, error) {
	requests := c.client.CertificatesV1().PodCertificateRequests(pod.Namespace)
	this := metav1.ListOptions{FieldSelector: fields.Set{"metadata.name": name, "spec.nodeName": pod.Spec.NodeName}.String()}
	list, err := requests.List(ctx, this)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list.Items, func(r certificatesv1.PodCertificateRequest) bool { return r.Name == name })
	if at < 0 {
		return nil, apierrors.NewNotFound(certificatesv1.Resource("podcertificaterequests"), name)
	}
	if verdictOn(&list.Items[at]) != nil {
		return &list.Items[at], nil
	}
	this.ResourceVersion = list.ResourceVersion
	events, err := requests.Watch(ctx, this)
	if err != nil {
		return nil, err
	}
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case e, open := <-events.ResultChan():
			request, ok := e.Object.(*certificatesv1.PodCertificateRequest)
			switch {
			case !open:
				return nil, errors.New("the watch has ended")
			case !ok:
				return nil, apierrors.FromObject(e.Object)
			case request.Name != name:
			case e.Type == watch.Deleted:
				return nil, apierrors.NewNotFound(certificatesv1.Resource("podcertificaterequests"), name)
			case verdictOn(request) != nil:
				return request, nil
			}
		}
	}
}

// verdictOn is the condition by which the signer has answered, nil before.
func verdictOn(request *certificatesv1.PodCertificateRequest) *metav1.Condition {
	for i := range request.Status.Conditions {
		switch c := &request.Status.Conditions[i]; c.Type {
		case certificatesv1.PodCertificateRequestConditionTypeIssued:
			if request.Status.BeginRefreshAt != nil && request.Status.NotAfter != nil {
				return c
			}
		case certificatesv1.PodCertificateRequestConditionTypeDenied, certificatesv1.PodCertificateRequestConditionTypeFailed:
			return c
		}
	}
	return nil
}

// take makes what the signer has answered the certificate's.
func (have *certificate) take(request *certificatesv1.PodCertificateRequest) {
	switch verdict := verdictOn(request); verdict.Type {
	case certificatesv1.PodCertificateRequestConditionTypeIssued:
		have.key, have.chain = have.asked.key, cleaned(request.Status.CertificateChain)
		have.renewAt = request.Status.BeginRefreshAt.Add(rand.N(spread))
		have.expires = request.Status.NotAfter.Time
		have.toldOverdue, have.toldExpired = false, false
	case certificatesv1.PodCertificateRequestConditionTypeDenied:
		have.denied = true
		have.refused = fmt.Errorf("PodCertificateRequest was permanently denied: reason=%q message=%q", verdict.Reason, verdict.Message)
	case certificatesv1.PodCertificateRequestConditionTypeFailed:
		have.refused = fmt.Errorf("PodCertificateRequest was permanently failed: reason=%q message=%q", verdict.Reason, verdict.Message)
	}
	have.asked = nil
}

// show tells how the certificate is now.
func (have *certificate) show(signer string) {
	have.shown.Store(&shown{
		signer: signer, issued: have.chain != nil, refused: have.refused != nil, denied: have.denied, renewAt: have.renewAt, expires: have.expires,
	})
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

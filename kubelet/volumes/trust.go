package volumes

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apilabels "k8s.io/apimachinery/pkg/labels"
	certificatesinformers "k8s.io/client-go/informers/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/guard"
)

// listPatience is how long the first Pod that shows trust bundles waits for them to be listed.
const listPatience = 10 * time.Second

// trust knows the cluster's trust bundles. It watches them from when the first Pod shows one.
type trust struct {
	ctx     context.Context
	client  kubernetes.Interface
	changed func()

	begun    atomic.Bool
	informer atomic.Pointer[cache.SharedIndexInformer]
}

func (t *trust) begin() {
	if t.begun.Swap(true) {
		return
	}
	guard.GoKeep(t.ctx, "watch trust bundles", func(ctx context.Context) {
		informer := t.watching() // each runs once only
		t.informer.Store(&informer)
		informer.RunWithContext(ctx)
	})
}

func (t *trust) watching() cache.SharedIndexInformer {
	informer := certificatesinformers.NewClusterTrustBundleInformer(t.client, 0, nil)
	changed := func() { guard.Insist("tell Pods of a changed trust bundle", t.changed) }
	// Only a stopped informer refuses a handler.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(_, _ any) { changed() }, DeleteFunc: func(any) { changed() },
	})
	return informer
}

func (t *trust) listed(ctx context.Context) (cache.Store, error) {
	t.begin()
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	if !cache.WaitForCacheSync(ctx.Done(), func() bool {
		informer := t.informer.Load()
		return informer != nil && (*informer).HasSynced()
	}) {
		return nil, errors.New("trust bundles have not been listed yet")
	}
	return (*t.informer.Load()).GetStore(), nil
}

// anchors are the certificates that a source names, each once.
func (t *trust) anchors(ctx context.Context, source *corev1.ClusterTrustBundleProjection) ([]byte, error) {
	known, err := t.listed(ctx)
	if err != nil {
		return nil, err
	}
	found, err := named(known, source)
	if err != nil || len(found) == 0 && isTrue(source.Optional) {
		return nil, err
	}
	switch {
	case len(found) > 0:
		return certificatesOf(found), nil
	case source.Name != nil:
		return nil, apierrors.NewNotFound(certificatesv1.Resource("clustertrustbundles"), *source.Name)
	}
	return nil, errors.New("combination of signerName and labelSelector matched zero ClusterTrustBundles")
}

func named(known cache.Store, source *corev1.ClusterTrustBundleProjection) (found []*certificatesv1.ClusterTrustBundle, err error) {
	if source.Name != nil {
		obj, ok, err := known.GetByKey(*source.Name)
		if !ok || err != nil {
			return nil, err
		}
		return append(found, obj.(*certificatesv1.ClusterTrustBundle)), nil
	}
	if source.SignerName == nil {
		return nil, errors.New("ClusterTrustBundle projection requires either name or signerName to be set")
	}
	selector, err := metav1.LabelSelectorAsSelector(source.LabelSelector)
	if err != nil {
		return nil, fmt.Errorf("reading the selector of trust bundles: %w", err)
	}
	for _, obj := range known.List() {
		b := obj.(*certificatesv1.ClusterTrustBundle)
		if b.Spec.SignerName == *source.SignerName && selector.Matches(apilabels.Set(b.Labels)) {
			found = append(found, b)
		}
	}
	return found, nil
}

// certificatesOf are in an order that depends on nothing but themselves: what is the same is not written again.
func certificatesOf(bundles []*certificatesv1.ClusterTrustBundle) []byte {
	var all [][]byte
	for _, b := range bundles {
		for block, rest := pem.Decode([]byte(b.Spec.TrustBundle)); block != nil; block, rest = pem.Decode(rest) {
			all = append(all, block.Bytes)
		}
	}
	slices.SortFunc(all, bytes.Compare)
	var out []byte
	for _, der := range slices.CompactFunc(all, bytes.Equal) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func (v *Volumes) addTrust(ctx context.Context, out *contents, pod *corev1.Pod, source *corev1.ClusterTrustBundleProjection, byDefault *int32) error {
	anchors, err := v.trust.anchors(ctx, source)
	if err != nil {
		return err
	}
	out.files[filepath.Clean(source.Path)] = private(pod, anchors, byDefault)
	return nil
}

// trustChanged renders what shows trust bundles.
func (v *Volumes) trustChanged() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.pods {
		if showsTrust(p.current()) {
			p.poke()
		}
	}
}

func showsTrust(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
		return volume.Projected != nil && slices.ContainsFunc(volume.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.ClusterTrustBundle != nil
		})
	})
}

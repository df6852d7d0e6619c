package node

import (
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	certificateslisters "k8s.io/client-go/listers/certificates/v1"
	resourcelisters "k8s.io/client-go/listers/resource/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-k8s/coracle/apis/core"
)

const (
	podsByNode     = "node authorizer: node"
	volumesByClaim = "node authorizer: claim"
)

// related knows what a node needs: what the Pods bound to it refer to.
type related struct {
	pods        cache.Indexer
	volumes     cache.Indexer
	attachments storagelisters.VolumeAttachmentLister
	slices      resourcelisters.ResourceSliceLister
	requests    certificateslisters.PodCertificateRequestLister
}

func newRelated(factory informers.SharedInformerFactory) (related, error) {
	pods, volumes := factory.Core().V1().Pods().Informer(), factory.Core().V1().PersistentVolumes().Informer()
	if err := pods.AddIndexers(cache.Indexers{podsByNode: nodeOf}); err != nil {
		return related{}, fmt.Errorf("indexing pods by node: %w", err)
	}
	if err := volumes.AddIndexers(cache.Indexers{volumesByClaim: claimOf}); err != nil {
		return related{}, fmt.Errorf("indexing volumes by claim: %w", err)
	}
	return related{
		pods: pods.GetIndexer(), volumes: volumes.GetIndexer(),
		attachments: factory.Storage().V1().VolumeAttachments().Lister(),
		slices:      factory.Resource().V1().ResourceSlices().Lister(),
		requests:    factory.Certificates().V1().PodCertificateRequests().Lister(),
	}, nil
}

func nodeOf(obj any) ([]string, error) {
	if pod := obj.(*corev1.Pod); pod.Spec.NodeName != "" {
		return []string{pod.Spec.NodeName}, nil
	}
	return nil, nil
}

func claimOf(obj any) ([]string, error) {
	if claim := obj.(*corev1.PersistentVolume).Spec.ClaimRef; claim != nil {
		return []string{claim.Namespace + "/" + claim.Name}, nil
	}
	return nil, nil
}

// podsOn are the Pods of a node, in one namespace or ("") in all. Mirror pods, which a node makes itself, give it nothing.
func (r related) podsOn(node, namespace string) iter.Seq[*corev1.Pod] {
	return func(yield func(*corev1.Pod) bool) {
		found, _ := r.pods.ByIndex(podsByNode, node) // fails only without the index
		for _, obj := range found {
			pod := obj.(*corev1.Pod)
			if namespace != "" && pod.Namespace != namespace || core.IsMirror(pod) {
				continue
			}
			if !yield(pod) {
				return
			}
		}
	}
}

// podsIn are those of one namespace: what is asked for in none is in none of them.
func (r related) podsIn(node, namespace string) iter.Seq[*corev1.Pod] {
	if namespace == "" {
		return func(func(*corev1.Pod) bool) {}
	}
	return r.podsOn(node, namespace)
}

// volumesOf are the volumes bound to a Pod's claims.
func (r related) volumesOf(pod *corev1.Pod) iter.Seq[*corev1.PersistentVolume] {
	return func(yield func(*corev1.PersistentVolume) bool) {
		for claim := range core.ClaimNames(pod) {
			found, _ := r.volumes.ByIndex(volumesByClaim, pod.Namespace+"/"+claim)
			for _, obj := range found {
				if !yield(obj.(*corev1.PersistentVolume)) {
					return
				}
			}
		}
	}
}

func (r related) pod(node, namespace, name string) bool {
	obj, found, err := r.pods.GetByKey(namespace + "/" + name)
	return err == nil && found && obj.(*corev1.Pod).Spec.NodeName == node
}

func (r related) serviceAccount(node, namespace, name string) bool {
	for pod := range r.podsIn(node, namespace) {
		if pod.Spec.ServiceAccountName == name {
			return true
		}
	}
	return false
}

func (r related) configMap(node, namespace, name string) bool {
	for pod := range r.podsIn(node, namespace) {
		if contains(core.ConfigMapNames(pod), name) {
			return true
		}
	}
	return false
}

// secret looks at the Pods of the Secret's namespace first; volumes may refer to Secrets of any.
func (r related) secret(node, namespace, name string) bool {
	for pod := range r.podsIn(node, namespace) {
		if contains(core.SecretNames(pod), name) {
			return true
		}
	}
	for pod := range r.podsOn(node, "") {
		for volume := range r.volumesOf(pod) {
			for _, ref := range volumeSecrets(volume) {
				if ref.Namespace == namespace && ref.Name == name {
					return true
				}
			}
		}
	}
	return false
}

func (r related) claim(node, namespace, name string) bool {
	for pod := range r.podsIn(node, namespace) {
		if contains(core.ClaimNames(pod), name) {
			return true
		}
	}
	return false
}

// Reviews may ask for what has no namespace in one, where nothing of the kind is.

func (r related) volume(node, namespace, name string) bool {
	obj, found, err := r.volumes.GetByKey(name)
	if err != nil || !found || namespace != "" {
		return false
	}
	claim := obj.(*corev1.PersistentVolume).Spec.ClaimRef
	return claim != nil && r.claim(node, claim.Namespace, claim.Name)
}

func (r related) resourceClaim(node, namespace, name string) bool {
	for pod := range r.podsIn(node, namespace) {
		if contains(resourceClaims(pod), name) {
			return true
		}
	}
	return false
}

func (r related) attachment(node, namespace, name string) bool {
	a, err := r.attachments.Get(name)
	return err == nil && namespace == "" && a.Spec.NodeName == node
}

func (r related) certificateRequest(node, namespace, name string) bool {
	request, err := r.requests.PodCertificateRequests(namespace).Get(name)
	return err == nil && string(request.Spec.NodeName) == node
}

func (r related) resourceSlice(node, namespace, name string) bool {
	s, err := r.slices.Get(name)
	return err == nil && namespace == "" && s.Spec.NodeName != nil && *s.Spec.NodeName == node
}

// resourceClaims are the claims that exist for a Pod: those it names, and those made for it, which its status names.
func resourceClaims(pod *corev1.Pod) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, c := range pod.Spec.ResourceClaims {
			if c.ResourceClaimName != nil && !yield(*c.ResourceClaimName) {
				return
			}
		}
		for _, c := range pod.Status.ResourceClaimStatuses {
			if c.ResourceClaimName != nil && !yield(*c.ResourceClaimName) {
				return
			}
		}
		if c := pod.Status.ExtendedResourceClaimStatus; c != nil && c.ResourceClaimName != "" {
			yield(c.ResourceClaimName)
		}
	}
}

func contains(names iter.Seq[string], wanted string) bool {
	for name := range names {
		if name == wanted {
			return true
		}
	}
	return false
}

// volumeSecrets are the Secrets that a kubelet reads to mount a volume. Without a namespace they are beside the claim.
func volumeSecrets(v *corev1.PersistentVolume) []corev1.SecretReference {
	var refs []*corev1.SecretReference
	switch s := &v.Spec.PersistentVolumeSource; {
	case s.AzureFile != nil:
		ref := &corev1.SecretReference{Name: s.AzureFile.SecretName}
		if s.AzureFile.SecretNamespace != nil {
			ref.Namespace = *s.AzureFile.SecretNamespace
		}
		refs = append(refs, ref)
	case s.CephFS != nil:
		refs = append(refs, s.CephFS.SecretRef)
	case s.Cinder != nil:
		refs = append(refs, s.Cinder.SecretRef)
	case s.FlexVolume != nil:
		refs = append(refs, s.FlexVolume.SecretRef)
	case s.RBD != nil:
		refs = append(refs, s.RBD.SecretRef)
	case s.ScaleIO != nil:
		refs = append(refs, s.ScaleIO.SecretRef)
	case s.ISCSI != nil:
		refs = append(refs, s.ISCSI.SecretRef)
	case s.StorageOS != nil && s.StorageOS.SecretRef != nil:
		refs = append(refs, &corev1.SecretReference{Name: s.StorageOS.SecretRef.Name, Namespace: s.StorageOS.SecretRef.Namespace})
	case s.CSI != nil:
		refs = append(refs, s.CSI.NodePublishSecretRef, s.CSI.NodeStageSecretRef, s.CSI.NodeExpandSecretRef)
	}
	var found []corev1.SecretReference
	for _, ref := range refs {
		if ref == nil || ref.Name == "" {
			continue
		}
		named := *ref
		if named.Namespace == "" && v.Spec.ClaimRef != nil {
			named.Namespace = v.Spec.ClaimRef.Namespace
		}
		found = append(found, named)
	}
	return found
}

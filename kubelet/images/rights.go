package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// Rights remembers whose credentials each image was pulled with, so that a Pod gets an image that is on the node only if it could
// have pulled it: with credentials that pulled it before, or with none where none were needed. Images that no pull of this node
// brought (loaded by the node's owner) are for all, as upstream's policy NeverVerifyPreloadedImages has it.
// https://kubernetes.io/docs/concepts/containers/images/#ensureimagepullcredentialverification
type Rights struct {
	records records

	// writing is held by who changes a record: reading must not wait for the disk.
	writing sync.Mutex

	mu sync.Mutex
	// pulled is by the file of the image's ID, empty where that was not readable. pulling is by the file of the image's whole name how
	// many pulls are under way: none, where one is recorded of which nobody knows how it ended. missing is since when an image that
	// has a record is not listed.
	pulled  map[string]kubeletv1beta1.ImagePulledRecord
	pulling map[string]int
	missing map[string]time.Time
}

const (
	// learnAtMost bounds the secrets that are added to a record because they hold credentials known to be good.
	learnAtMost = 100
	// forgetAfter is how long an image must be gone until its record goes: one list that lacks it must not make it everybody's.
	forgetAfter = 10 * time.Minute
)

// LoadRights reads what an earlier process recorded in a folder, which it makes. Of images that were being pulled when it ended
// and that are there nothing is known but that not all may have them.
func LoadRights(ctx context.Context, dir string, service internalapi.ImageManagerService) (*Rights, error) {
	r := &Rights{records: records{dir}, missing: map[string]time.Time{}}
	var err error
	if r.pulled, r.pulling, err = r.records.read(); err != nil {
		return nil, fmt.Errorf("reading who may use images: %w", err)
	}
	if len(r.pulling) == 0 {
		return r, nil
	}
	images, err := service.ListImages(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	for _, i := range images {
		for _, name := range slices.Concat(i.RepoTags, i.RepoDigests) {
			if _, left := r.pulling[fileOf(name)]; !left {
				continue
			}
			if err := errors.Join(r.record(name, i.Id, nil), r.records.end(fileOf(name))); err != nil {
				return nil, err
			}
			delete(r.pulling, fileOf(name))
		}
	}
	return r, nil
}

// Begin records that an image is about to be pulled, before it is: whatever ends this process meanwhile, it does not pass for one
// that the node's owner brought. Each Begin is followed by End.
func (r *Rights) Begin(image string) error {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return fmt.Errorf("parsing image name %q: %w", image, err)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.records.begin(named.String()); err != nil {
		return fmt.Errorf("recording the pull of %s: %w", image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulling[fileOf(named.String())]++
	return nil
}

// End records a pull's end: the image's ID, or nothing if it failed, and with what credential, nil for none.
func (r *Rights) End(image, id string, with *Credential) error {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return fmt.Errorf("parsing image name %q: %w", image, err)
	}
	if id != "" {
		err = r.record(image, id, with.rights())
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	key := fileOf(named.String())
	if !r.ended(key, err == nil) {
		return err
	}
	if err := r.records.end(key); err != nil {
		return fmt.Errorf("recording that the pull of %s ended: %w", image, err)
	}
	return nil
}

// ended counts a pull's end and says whether it was the last of its image and the record of it can go: not so if how it ended
// could not be recorded.
func (r *Rights) ended(key string, recorded bool) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulling[key]--
	if r.pulling[key] > 0 || !recorded {
		return false
	}
	delete(r.pulling, key)
	return true
}

// May says whether who has these credentials may use an image that is on the node. credentials is called only if that matters.
func (r *Rights) May(image, id string, credentials func() []*Credential) (bool, error) {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return false, fmt.Errorf("parsing image name %q: %w", image, err)
	}
	r.mu.Lock()
	record, known := r.pulled[fileOf(id)]
	_, pulling := r.pulling[fileOf(named.String())]
	r.mu.Unlock()
	if !known {
		return !pulling, nil
	}
	rights, known := record.CredentialMapping[named.Name()]
	if !known || rights.NodePodsAccessible || len(rights.KubernetesSecrets) == 0 {
		return rights.NodePodsAccessible, nil
	}
	for _, c := range credentials() {
		may, learn := c.among(rights.KubernetesSecrets)
		if may && learn && len(rights.KubernetesSecrets) < learnAtMost {
			return true, r.record(image, id, c.rights())
		}
		if may {
			return true, nil
		}
	}
	return false, nil
}

// record adds rights to those of an image.
func (r *Rights) record(image, id string, rights *kubeletv1beta1.ImagePullCredentials) error {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return fmt.Errorf("parsing image name %q: %w", image, err)
	}
	key := fileOf(id)
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	before, known := r.pulled[key]
	delete(r.missing, key)
	r.mu.Unlock()
	record, changed := before, !known
	if rights != nil {
		record, changed = with(before, named.Name(), *rights)
	}
	if !changed && known {
		return nil
	}
	record.ImageRef, record.LastUpdatedTime = id, metav1.Now()
	if err := r.records.write(record); err != nil {
		return fmt.Errorf("recording who may use image %s: %w", image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulled[key] = record
	return nil
}

// Seen tells which images there are. The records of those that are gone for long go.
func (r *Rights) Seen(images []*runtimeapi.Image) error {
	var failed []error
	for _, key := range r.gone(images, time.Now()) {
		failed = append(failed, r.forget(key))
	}
	return errors.Join(failed...)
}

func (r *Rights) gone(images []*runtimeapi.Image, now time.Time) (gone []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	there := map[string]bool{}
	for _, i := range images {
		there[fileOf(i.Id)] = true
	}
	for key := range r.pulled {
		since, missing := r.missing[key]
		switch {
		case there[key]:
			delete(r.missing, key)
		case !missing:
			r.missing[key] = now
		case now.Sub(since) > forgetAfter:
			gone = append(gone, key)
		}
	}
	return gone
}

// forget removes the record of an image that is still missing.
func (r *Rights) forget(key string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	_, missing := r.missing[key]
	r.mu.Unlock()
	if !missing { // it was pulled again meanwhile
		return nil
	}
	if err := r.records.remove(key); err != nil {
		return fmt.Errorf("removing the record %s of an image: %w", key, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pulled, key)
	delete(r.missing, key)
	return nil
}

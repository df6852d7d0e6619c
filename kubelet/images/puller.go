package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	crierrors "k8s.io/cri-api/pkg/errors"
	"k8s.io/klog/v2"
)

// Why an image is not there: the reasons that a waiting container shows.
const (
	ReasonBackOff      = "ImagePullBackOff"
	ReasonInspect      = "ImageInspectError"
	ReasonPull         = "ErrImagePull"
	ReasonNeverPull    = "ErrImageNeverPull"
	ReasonInvalidName  = "InvalidImageName"
	reasonUnavailable  = "RegistryUnavailable"
	reasonBadSignature = "SignatureValidationFailed"
)

// Error says why an image is not there.
type Error struct {
	// Reason is one word, as a waiting container shows it.
	Reason string
	// Retry is when it makes sense to ask again; zero where nothing but a change of the Pod or the node helps.
	Retry time.Time
	Err   error
}

// Error is the whole story without the reason.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Request asks for an image on behalf of a container or a volume.
type Request struct {
	Pod     *corev1.Pod
	Image   string
	Policy  corev1.PullPolicy
	Sandbox *runtimeapi.PodSandboxConfig
	// About is what Events about the image refer to.
	About *corev1.ObjectReference
}

// Config is what a Puller needs.
type Config struct {
	Service internalapi.ImageManagerService
	// Secret returns a Secret that a Pod names for pulling. A missing one is an error; the image may be free for all.
	Secret func(namespace, name string) (*corev1.Secret, error)
	// Event tells the user what happens.
	Event func(about *corev1.ObjectReference, eventType, reason, message string)
	// Parallel is how many images are pulled at a time; 1 unless set.
	Parallel int
	// Rights say who may use an image that is there; nil is anybody.
	Rights *Rights
	// Used is told of each image that a container is about to use, by its ID; may be nil.
	Used func(id string)
	// Pulled is told of each image that was pulled: how long that took, with the wait for a turn, and its size, 0 if it is not known; may
	// be nil.
	Pulled func(took time.Duration, bytes uint64)
}

// Puller makes sure that images are on the node, for many Pods at once.
type Puller struct {
	Config
	slots chan struct{}

	mu       sync.Mutex
	failures map[failureKey]failure
}

// failureKey is what backs off: an image of a Pod. Another Pod may have other credentials.
type failureKey struct {
	pod   types.UID
	image string
}

type failure struct {
	delay  time.Duration
	until  time.Time
	reason string
}

// The pauses between attempts to pull an image for a Pod.
const (
	firstDelay = 10 * time.Second
	lastDelay  = 5 * time.Minute
	// forgive is how long after a pause a failure counts no more.
	forgive = 2 * lastDelay
)

// NewPuller returns a puller of images.
func NewPuller(c Config) *Puller {
	return &Puller{Config: c, slots: make(chan struct{}, max(c.Parallel, 1)), failures: map[failureKey]failure{}}
}

// Ensure brings an image to the node as the policy says and returns how the runtime refers to it. What fails is an *Error.
// https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
func (p *Puller) Ensure(ctx context.Context, r Request) (string, error) {
	name, err := normalize(r.Image)
	if err != nil {
		p.event(r, corev1.EventTypeWarning, "InspectFailed", fmt.Sprintf("Failed to apply default image tag %q: %v", r.Image, err))
		return "", &Error{Reason: ReasonInvalidName, Err: fmt.Errorf("Failed to apply default image tag %q: %w", r.Image, err)} //nolint:staticcheck // shown to users
	}
	spec := &runtimeapi.ImageSpec{Image: name, UserSpecifiedImage: r.Image, Annotations: r.Pod.Annotations}
	if r.Policy != corev1.PullAlways {
		id, err := p.present(ctx, spec)
		if err != nil {
			p.event(r, corev1.EventTypeWarning, "InspectFailed", fmt.Sprintf("Failed to inspect image %q: %v", name, err))
			return "", &Error{Reason: ReasonInspect, Retry: time.Now().Add(firstDelay), Err: fmt.Errorf("inspecting image %q: %w", name, err)}
		}
		if p.may(ctx, spec, r, id) {
			p.event(r, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", r.Image))
			return id, nil
		}
	}
	// Who may not have an image is not told that it is there.
	if r.Policy == corev1.PullNever {
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", r.Image)
		p.event(r, corev1.EventTypeWarning, "ErrImageNeverPull", message)
		return "", &Error{Reason: ReasonNeverPull, Retry: time.Now().Add(firstDelay), Err: errors.New(message)}
	}
	key := failureKey{r.Pod.UID, name}
	if err := p.backingOff(key, r); err != nil {
		return "", err
	}
	id, err := p.pull(ctx, spec, r)
	if err != nil && ctx.Err() == nil {
		return "", p.failed(key, err)
	}
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	delete(p.failures, key)
	p.mu.Unlock()
	return id, nil
}

// Forget drops what is remembered of a Pod.
func (p *Puller) Forget(pod types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.failures {
		if key.pod == pod {
			delete(p.failures, key)
		}
	}
}

// present returns the ID of an image that is on the node, or nothing.
func (p *Puller) present(ctx context.Context, spec *runtimeapi.ImageSpec) (string, error) {
	s, err := p.Service.ImageStatus(ctx, spec, false)
	if err != nil {
		return "", err
	}
	if s.Image == nil {
		return "", nil
	}
	return s.Image.Id, nil
}

// may says whether an image is there and the Pod could have pulled it.
func (p *Puller) may(ctx context.Context, spec *runtimeapi.ImageSpec, r Request, id string) bool {
	if id == "" || p.Rights == nil {
		return id != ""
	}
	may, err := p.Rights.May(spec.Image, id, func() []*Credential {
		credentials, _ := p.credentials(r.Pod, spec.Image) // what is wrong with secrets is said when pulling with them
		return credentials
	})
	if err != nil {
		klog.FromContext(ctx).Error(err, "Looking for a Pod's right to an image", "pod", klog.KObj(r.Pod), "image", spec.Image)
	}
	if may {
		p.used(id)
	}
	return may
}

func (p *Puller) used(id string) {
	if p.Used != nil {
		p.Used(id)
	}
}

// pull waits for its turn and pulls, with each credential that fits until one does.
func (p *Puller) pull(ctx context.Context, spec *runtimeapi.ImageSpec, r Request) (string, error) {
	began := time.Now()
	p.event(r, corev1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", r.Image))
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if r.Policy != corev1.PullAlways { // another Pod's pull may have brought it meanwhile
		if id, err := p.present(ctx, spec); err == nil && p.may(ctx, spec, r, id) {
			return id, nil
		}
	}
	turn := time.Now()
	id, err := p.pullWith(ctx, spec, r)
	if err != nil {
		p.event(r, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", r.Image, err))
		return "", err
	}
	p.used(id)
	var size uint64
	if s, err := p.Service.ImageStatus(ctx, &runtimeapi.ImageSpec{Image: id}, false); err == nil && s.Image != nil {
		size = s.Image.Size
	}
	if p.Pulled != nil {
		p.Pulled(time.Since(began), size)
	}
	p.event(r, corev1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.",
		r.Image, time.Since(turn).Truncate(time.Millisecond), time.Since(began).Truncate(time.Millisecond), size))
	return id, nil
}

// pullWith pulls and records who may use the image from now on.
func (p *Puller) pullWith(ctx context.Context, spec *runtimeapi.ImageSpec, r Request) (string, error) {
	credentials, failed := p.credentials(r.Pod, spec.Image)
	if p.Rights == nil {
		id, _, err := p.try(ctx, spec, r, credentials, failed)
		return id, err
	}
	if err := p.Rights.Begin(spec.Image); err != nil {
		return "", err
	}
	id, with, err := p.try(ctx, spec, r, credentials, failed)
	// An image that is there is used. Until what could not be written is, others must pull it too.
	if recorded := p.Rights.End(spec.Image, id, with); recorded != nil {
		klog.FromContext(ctx).Error(recorded, "Recording a pull", "image", spec.Image)
	}
	return id, err
}

// try pulls with each credential until one fits, with none if there is none. It returns what fitted.
func (p *Puller) try(ctx context.Context, spec *runtimeapi.ImageSpec, r Request, credentials []*Credential, failed []error) (string, *Credential, error) {
	if len(credentials) == 0 {
		credentials = []*Credential{nil}
	}
	for _, c := range credentials {
		var auth *runtimeapi.AuthConfig
		if c != nil {
			auth = c.Auth
		}
		id, err := p.Service.PullImage(ctx, spec, auth, r.Sandbox)
		if err == nil {
			return id, c, nil
		}
		failed = append(failed, err)
	}
	return "", nil, errors.Join(failed...)
}

// credentials are those of the Pod's secrets that fit an image, and what is wrong with the secrets.
func (p *Puller) credentials(pod *corev1.Pod, image string) ([]*Credential, []error) {
	var ring Keyring
	var failed []error
	for _, ref := range pod.Spec.ImagePullSecrets {
		if ref.Name == "" {
			continue
		}
		secret, err := p.Secret(pod.Namespace, ref.Name)
		if err != nil {
			failed = append(failed, fmt.Errorf("reading secret %s/%s to pull with: %w", pod.Namespace, ref.Name, err))
			continue
		}
		if err := ring.Add(secret); err != nil {
			failed = append(failed, fmt.Errorf("parsing secret %s/%s to pull with: %w", pod.Namespace, ref.Name, err))
		}
	}
	return ring.Lookup(image), failed
}

// backingOff says that a pull failed a short time ago, or nothing.
func (p *Puller) backingOff(key failureKey, r Request) error {
	p.mu.Lock()
	maps.DeleteFunc(p.failures, func(_ failureKey, f failure) bool { return time.Since(f.until) > forgive })
	f, found := p.failures[key]
	p.mu.Unlock()
	if !found || time.Now().After(f.until) {
		return nil
	}
	message := fmt.Sprintf("Back-off pulling image %q", r.Image)
	p.event(r, corev1.EventTypeNormal, "BackOff", message)
	return &Error{Reason: ReasonBackOff, Retry: f.until, Err: fmt.Errorf("%s: %s", message, f.reason)}
}

// failed remembers a failed pull and says so.
func (p *Puller) failed(key failureKey, err error) error {
	reason := ReasonPull
	switch text := err.Error(); {
	case strings.HasPrefix(text, crierrors.ErrRegistryUnavailable.Error()):
		reason = reasonUnavailable
	case strings.HasPrefix(text, crierrors.ErrSignatureValidationFailed.Error()):
		reason = reasonBadSignature
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failures[key]
	f.delay = min(max(2*f.delay, firstDelay), lastDelay)
	f.until = time.Now().Add(f.delay)
	f.reason = reason + ": " + err.Error()
	p.failures[key] = f
	return &Error{Reason: reason, Retry: f.until, Err: err}
}

func (p *Puller) event(r Request, eventType, reason, message string) {
	if p.Event != nil && r.About != nil {
		p.Event(r.About, eventType, reason, message)
	}
}

// normalize adds the tag that a name without tag and digest stands for, and leaves the rest as the user wrote it.
func normalize(image string) (string, error) {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return "", fmt.Errorf("couldn't parse image name %q: %w", image, err)
	}
	if tagged, is := named.(reference.Tagged); is && !strings.HasSuffix(image, ":"+tagged.Tag()) && !strings.Contains(image, "@") {
		return image + ":" + tagged.Tag(), nil
	}
	return image, nil
}

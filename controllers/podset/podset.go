// Package podset creates and deletes the Pods of a controller that keeps a number of them.
package podset

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/controllers/owned"
	"github.com/coracle-k8s/coracle/guard"
)

// Burst is the most Pods that one reconciliation creates or deletes.
const Burst = 500

// Control writes Pods and tells about it with Events on their owner.
type Control struct {
	Client   client.Client
	Recorder events.EventRecorder
}

// FromTemplate makes a Pod of the template, with a generated name, controlled by owner.
func FromTemplate(template *corev1.PodTemplateSpec, owner client.Object, kind schema.GroupVersionKind) *corev1.Pod {
	meta := template.ObjectMeta.DeepCopy()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       owner.GetNamespace(),
			GenerateName:    prefix(owner.GetName()),
			Labels:          meta.Labels,
			Annotations:     meta.Annotations,
			Finalizers:      meta.Finalizers,
			OwnerReferences: []metav1.OwnerReference{owned.Reference(owner, kind)},
		},
		Spec: *template.Spec.DeepCopy(),
	}
}

// prefix separates the owner's name from the generated part with a dash, if that still makes a valid name.
func prefix(owner string) string {
	dashed := owner + "-"
	if len(validation.NameIsDNSSubdomain(dashed, true)) > 0 {
		return owner
	}
	return dashed
}

// Create creates the Pod. A refusal because the namespace is being deleted is answered with created false and no
// error: there is nothing left to do then.
func (c Control) Create(ctx context.Context, owner client.Object, pod *corev1.Pod) (created bool, err error) {
	err = c.Client.Create(ctx, pod)
	switch {
	case err == nil:
		c.Recorder.Eventf(owner, pod, corev1.EventTypeNormal, "SuccessfulCreate", "Create", "Created pod: %v", pod.Name)
		return true, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return false, nil
	}
	c.Recorder.Eventf(owner, nil, corev1.EventTypeWarning, "FailedCreate", "Create", "Error creating: %v", err)
	return false, err
}

// Delete deletes the Pod, unless another of its name has taken its place. A Pod that is gone already is no error.
func (c Control) Delete(ctx context.Context, owner client.Object, pod *corev1.Pod) error {
	err := c.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
	switch {
	case err == nil:
		c.Recorder.Eventf(owner, pod, corev1.EventTypeNormal, "SuccessfulDelete", "Delete", "Deleted pod: %v", pod.Name)
		return nil
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
		return nil
	}
	c.Recorder.Eventf(owner, pod, corev1.EventTypeWarning, "FailedDelete", "Delete", "Error deleting: %v", err)
	return fmt.Errorf("unable to delete pods: %w", err)
}

// InBatches calls do n times: once, then twice at the same time, then four times and so on. After a batch with an
// error it starts no other: where one creation is refused (a quota, a policy) the others would be too. It returns the
// first error, and how many calls succeeded.
func InBatches(n int, do func() error) (done int, err error) {
	for size := 1; n > 0; size *= 2 {
		size = min(size, n)
		failures := Together(size, func(int) error { return do() })
		done += size - len(failures)
		if len(failures) > 0 {
			return done, failures[0]
		}
		n -= size
	}
	return done, nil
}

// atOnce names the work of a controller that is done at the same time as other work of it.
const atOnce = "one of several writes"

// mostAtOnce bounds the requests of one reconciliation that are under way at a time.
const mostAtOnce = 100

// Together calls do for 0 to n-1, many at the same time, waits for all and returns their errors. A panic is one.
func Together(n int, do func(i int) error) []error {
	var group guard.Group
	var lock sync.Mutex
	var failures []error
	free := make(chan struct{}, mostAtOnce)
	for i := range n {
		free <- struct{}{}
		group.GoThen(atOnce, func() error { return do(i) }, func(err error) {
			defer func() { <-free }()
			if err != nil {
				lock.Lock()
				defer lock.Unlock()
				failures = append(failures, err)
			}
		})
	}
	group.Wait()
	return failures
}

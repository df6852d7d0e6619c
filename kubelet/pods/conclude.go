package pods

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/kubelet/removal"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// conclude releases what a Pod held when nothing of it runs any more, and ends its deletion. gone says that nothing of
// it is left. Every step can be repeated.
func (w *worker) conclude(ctx context.Context, f facts) (gone bool, err error) {
	if err := w.Volumes.Unmount(ctx, w.uid); err != nil {
		return false, fmt.Errorf("unmounting volumes: %w", err)
	}
	if err := w.Resources.Remove(w.uid); err != nil {
		return false, fmt.Errorf("removing control group: %w", err)
	}
	if !f.removed {
		if f.pod.DeletionTimestamp == nil {
			return false, nil // ended, and kept for its logs
		}
		return false, w.finishDeletion(ctx, f)
	}
	return true, w.erase(ctx, f)
}

// finishDeletion takes the Pod out of the API. Its last status goes first: finalizers may keep the Pod, and whoever
// watches learns how its containers ended.
func (w *worker) finishDeletion(ctx context.Context, f facts) error {
	if err := w.Status.Wait(ctx, w.uid); err != nil {
		return err
	}
	err := w.Client.CoreV1().Pods(f.pod.Namespace).Delete(ctx, f.pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To[int64](0),
		Preconditions:      &metav1.Preconditions{UID: &w.uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting pod: %w", err)
	}
	return nil
}

// erase removes what was kept of a Pod that the API has no more: containers, sandboxes, logs.
func (w *worker) erase(ctx context.Context, f facts) error {
	var errs error
	for _, c := range f.runtime.Containers {
		if err := w.removeContainer(ctx, f.pod, c); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	for _, s := range f.runtime.Sandboxes {
		if err := w.Runtime.RemovePodSandbox(ctx, s.ID); err != nil && !runtime.IsNotFound(err) {
			errs = errors.Join(errs, fmt.Errorf("removing sandbox %s: %w", s.ID, err))
		}
	}
	if errs != nil {
		return errs
	}
	if f.pod.Name != "" { // else it has no logs: their directory would have told
		if err := removal.Tree(runtime.PodLogDir(w.PodLogsDir, f.pod)); err != nil {
			return err
		}
	}
	return removal.Tree(w.podDir(f.pod)) // the last: it says that the logs are ours
}

// Package notice tells users by Events what the server itself finds out about their objects.
package notice

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Warn records a warning about an object. The same words about the same object are counted in one Event. Events of objects without
// a namespace are in namespace default.
func Warn(ctx context.Context, client kubernetes.Interface, about corev1.ObjectReference, reason, message string) error {
	namespace := about.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	sum := sha256.Sum256([]byte(about.Kind + reason + message))
	now := metav1.NewTime(time.Now())
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", about.Name, sum[:8]), Namespace: namespace},
		InvolvedObject: about, Type: corev1.EventTypeWarning, Reason: reason, Message: message,
		Source: corev1.EventSource{Component: "coracle"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	events := client.CoreV1().Events(namespace)
	_, err := events.Create(ctx, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var before *corev1.Event
		if before, err = events.Get(ctx, event.Name, metav1.GetOptions{}); err == nil {
			before.Count, before.LastTimestamp = before.Count+1, now
			_, err = events.Update(ctx, before, metav1.UpdateOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("recording an Event about %s %s: %w", about.Kind, about.Name, err)
	}
	return nil
}

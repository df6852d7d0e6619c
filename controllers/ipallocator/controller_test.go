package ipallocator

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/coracle-k8s/coracle/controllers/loop"
)

// lagging reads a Service from a cache when typed, from the server when not, and has no addresses but those created.
type lagging struct {
	client.Client
	cached, live *corev1.Service
	created      []string
}

func (l *lagging) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	switch o := o.(type) {
	case *corev1.Service:
		l.cached.DeepCopyInto(o)
		return nil
	case *unstructured.Unstructured:
		if o.GetKind() == "Service" && l.live != nil {
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(l.live)
			o.SetUnstructuredContent(content)
			return err
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (l *lagging) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	l.created = append(l.created, o.(*networkingv1.IPAddress).Name)
	return nil
}

func TestRecordsOnlyAddressesThatServicesStillHave(t *testing.T) {
	had := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s", UID: "first"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.7", ClusterIPs: []string{"10.96.0.7"}},
	}
	changed := func(change func(*corev1.Service)) *corev1.Service {
		s := had.DeepCopy()
		change(s)
		return s
	}
	for name, test := range map[string]struct {
		live *corev1.Service
		want int
	}{
		"unchanged": {live: had, want: 1},
		"deleted":   {},
		"needs no address now": {live: changed(func(s *corev1.Service) {
			s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "a.example"}
		})},
		"being deleted":   {live: changed(func(s *corev1.Service) { s.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })},
		"another by then": {live: changed(func(s *corev1.Service) { s.UID = "second" })},
		"another address": {live: changed(func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "10.96.0.8", []string{"10.96.0.8"} })},
	} {
		t.Run(name, func(t *testing.T) {
			api := &lagging{cached: had, live: test.live}
			recorder := events.NewFakeRecorder(10)
			r := &controller{client: api, recorder: recorder, now: time.Now}
			if _, err := r.Reconcile(t.Context(), loop.Request("ns", "s")); err != nil {
				t.Fatal(err)
			}
			if len(api.created) != test.want || len(recorder.Events) != test.want {
				t.Errorf("got addresses %v and %d events, want %d of each", api.created, len(recorder.Events), test.want)
			}
		})
	}
}

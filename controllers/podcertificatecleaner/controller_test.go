package podcertificatecleaner

import (
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestRequestsGoAfterAQuarterOfAnHour(t *testing.T) {
	made := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	request := &certificatesv1.PodCertificateRequest{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "r", UID: "uid", CreationTimestamp: metav1.NewTime(made),
	}}
	c := fake.NewClientBuilder().WithObjects(request).Build()
	r := &controller{client: c, now: func() time.Time { return made.Add(10 * time.Minute) }}
	if result, err := r.Reconcile(t.Context(), request); err != nil || result.RequeueAfter != 5*time.Minute {
		t.Fatalf("after ten minutes: %v, %v", result, err)
	}
	r.now = func() time.Time { return made.Add(15 * time.Minute) }
	for range 2 { // the cache may still show it
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(request), request); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}

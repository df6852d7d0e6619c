package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func lockOf(client *fake.Clientset, identity string) resourcelock.Interface {
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "part"}, Client: client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
}

// The next one begins when the one before has ended, not when it was told to.
func TestOneLeadsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var leading atomic.Int32
		run := func(ctx context.Context) error {
			if leading.Add(1) > 1 {
				t.Error("two lead")
			}
			<-ctx.Done()
			time.Sleep(time.Second) // it takes a while to end
			leading.Add(-1)
			return nil
		}
		first, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- lead(first, lockOf(client, "a"), run) }()
		time.Sleep(time.Second)
		second, stopSecond := context.WithCancel(t.Context())
		secondEnded := make(chan error, 1)
		go func() { secondEnded <- lead(second, lockOf(client, "b"), run) }()
		time.Sleep(time.Minute)
		if n := leading.Load(); n != 1 {
			t.Fatalf("%d lead", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the first ended with %v", err)
		}
		time.Sleep(5 * time.Second) // much less than the Lease's duration
		if leading.Load() != 1 {
			t.Errorf("the second does not lead")
		}
		stopSecond()
		if err := <-secondEnded; err != nil {
			t.Errorf("the second ended with %v", err)
		}
	})
}

// A part that ends by itself, or whose Lease somebody has taken, gives an error: it is run again.
func TestLeaderThatEndsIsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var stolen atomic.Bool // the fake client knows no conflicts
		client.PrependReactor("update", "leases", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if !stolen.Load() || *a.(clienttesting.UpdateAction).GetObject().(*coordinationv1.Lease).Spec.HolderIdentity == "thief" {
				return false, nil, nil
			}
			return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), "part", errors.New("it has changed"))
		})
		broken := errors.New("broken")
		if err := lead(t.Context(), lockOf(client, "a"), func(context.Context) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("a part that fails: %v", err)
		}
		ended := make(chan error, 1)
		go func() {
			ended <- lead(t.Context(), lockOf(client, "a"), func(ctx context.Context) error { <-ctx.Done(); return nil })
		}()
		time.Sleep(5 * time.Second)
		lease, err := client.CoordinationV1().Leases("kube-system").Get(t.Context(), "part", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stolen.Store(true)
		thief, now := "thief", metav1.NowMicro()
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = &thief, &now
		if _, err := client.CoordinationV1().Leases("kube-system").Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, errDeposed) {
			t.Errorf("a deposed one: %v", err)
		}
	})
}

package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/utils/ptr"
)

func labels(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
		{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
	}}}}
}

func TestAnImageThatIsPulledHoldsUpNobody(t *testing.T) {
	needRoot(t)
	w := newWorld(t, t.TempDir(), fake.NewClientset())
	pulling := make(chan struct{})
	w.Image = func(ctx context.Context, _ *corev1.Pod, _ *corev1.ImageVolumeSource) (*runtimeapi.ImageSpec, error) {
		close(pulling)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	pod := newPod("slow", corev1.Volume{Name: "i", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "slow"}}}, emptyDir("e", corev1.EmptyDirVolumeSource{}))
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		c := &corev1.Container{Name: "c", VolumeMounts: []corev1.VolumeMount{{Name: "i", MountPath: "/i"}}}
		_, err := w.Mounts(ctx, pod, c, func(*corev1.VolumeMount) (string, error) { return "", nil })
		ended <- err
	}()
	<-pulling
	within(t, 5*time.Second, "hearing of a Pod whose image is pulled", func() {
		w.Update(pod)
		w.Refresh(pod.UID)
		w.Forget(pod.UID)
		w.Local(pod.UID, "e")
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("mounts of what is not pulled: %v", err)
	}
}

func TestAHungMountHoldsUpItsPodOnly(t *testing.T) {
	w := newWorld(t, t.TempDir(), fake.NewClientset())
	p := w.entry(newPod("hung"), nil)
	end, err := p.begin(t.Context()) // as Mount does while a disk does not answer
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	within(t, 5*time.Second, "hearing of Pods", func() { w.Update(newPod("hung")); w.Refresh("hung"); w.Update(newPod("other")) })
	within(t, 5*time.Second, "mounting another Pod", func() {
		if err := w.Mount(t.Context(), newPod("other")); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := w.Unmount(ctx, "hung"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("unmounting it: %v", err)
	}
	if err := patiently(ctx, func() error { select {} }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("looking at what does not answer: %v", err)
	}
}

func TestOnlyWhatVolumesShowIsRenderedAgain(t *testing.T) {
	needRoot(t)
	var looks atomic.Int64
	w := newWorld(t, t.TempDir(), fake.NewClientset())
	pod := newPod("p", labels("l"))
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}}})
	w.Objects = counting{w.Objects, &looks}
	w.Update(pod)
	p := w.lookup(pod.UID)
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	p.finish()
	woken := func() bool {
		select {
		case <-p.wake:
			return true
		default:
			return false
		}
	}
	changed := pod.DeepCopy()
	changed.Status.Phase, changed.ResourceVersion = corev1.PodRunning, "2"
	w.Update(changed)
	if woken() || looks.Load() != 1 {
		t.Errorf("rendered again for a status, %d looks at objects", looks.Load())
	}
	changed = changed.DeepCopy()
	changed.Labels = map[string]string{"a": "b"}
	w.Update(changed)
	if !woken() {
		t.Error("not rendered again for another label")
	}
}

type counting struct {
	Objects
	looks *atomic.Int64
}

func (c counting) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	c.looks.Add(1)
	return c.Objects.ConfigMap(namespace, name)
}

// issuer gives tokens that are valid for ten minutes, unless it is out.
type issuer struct {
	out    atomic.Bool
	issued atomic.Int64
}

func (i *issuer) client() *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("create", "serviceaccounts/token", func(clienttesting.Action) (bool, runtime.Object, error) {
		if i.out.Load() {
			return true, nil, errors.New("no route to host")
		}
		return true, &authenticationv1.TokenRequest{Status: authenticationv1.TokenRequestStatus{
			Token: fmt.Sprint("token ", i.issued.Add(1)), ExpirationTimestamp: metav1.NewTime(time.Now().Add(10 * time.Minute)),
		}}, nil
	})
	return client
}

func tokenVolume() corev1.Volume {
	return corev1.Volume{Name: "t", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: ptr.To[int64](600)}},
	}}}}
}

func TestTokensOfAServerWhoseClockIsAheadAreRenewedInTime(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "serviceaccounts/token", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authenticationv1.TokenRequest{
			Spec:   authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](600)},
			Status: authenticationv1.TokenRequestStatus{Token: "t", ExpirationTimestamp: metav1.NewTime(time.Now().Add(36 * time.Hour))},
		}, nil
	})
	have, _, err := newTokens(client).get(t.Context(), newPod("p"), &authenticationv1.TokenRequest{})
	if due := time.Until(have.renewAt); err != nil || due > 8*time.Minute || due < 7*time.Minute {
		t.Errorf("a token for ten minutes is renewed in %s, %v", due, err)
	}
}

func TestTokensAreRenewedAfterAnOutageThatOutlivedThem(t *testing.T) {
	needRoot(t)
	synctest.Test(t, func(t *testing.T) {
		var api issuer
		w := newWorld(t, t.TempDir(), api.client())
		pod := newPod("p", tokenVolume())
		file := filepath.Join(w.Dir(pod.UID, &pod.Spec.Volumes[0]), "token")
		if err := w.Mount(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Unmount(context.Background(), pod.UID); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if data, err := os.ReadFile(file); err != nil || string(data) != "token 2" {
			t.Errorf("after nine minutes: %q, %v", data, err)
		}
		api.out.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.mu.Lock()
		if len(w.events) == 0 || !strings.Contains(w.events[0], "no route to host") || len(w.events) > 2 {
			t.Errorf("of the outage tell %q", w.events)
		}
		w.mu.Unlock()
		api.out.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if data, err := os.ReadFile(file); err != nil || string(data) != "token 3" {
			t.Errorf("after an hour without the API: %q, %v", data, err)
		}
	})
}

func TestTimePassesWhileTheMachineSleepsOrItsClockIsSetBack(t *testing.T) {
	now := time.Now()
	due := now.Add(time.Hour)
	for name, test := range map[string]struct {
		now  time.Time
		want bool
	}{
		"at once":                    {now, false},
		"an hour later":              {now.Add(time.Hour), true},
		"the machine slept":          {now.Add(2 * time.Hour).Round(0), true}, // the monotonic clock stood still: only the other tells
		"the clock was set far back": {now.Add(-time.Hour).Round(0), false},
	} {
		if got := passed(due, test.now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPodsComeAndGoWhileOthersAreLookedAt(t *testing.T) {
	needRoot(t)
	w := newWorld(t, t.TempDir(), fake.NewClientset())
	within(t, time.Minute, "mounting, updating and forgetting side by side", func() {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				pod := newPod(types.UID(fmt.Sprint("p", i)), labels("l"))
				for range 20 {
					w.Update(pod)
					if err := w.Mount(t.Context(), pod); err != nil {
						t.Error(err)
					}
					w.usedElsewhere(pod, "volume")
					w.pokeDue(time.Now())
					w.Forget(pod.UID)
					if err := w.Unmount(t.Context(), pod.UID); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

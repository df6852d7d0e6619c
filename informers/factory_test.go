package informers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// of makes an informer of what lists and watches.
func of(example runtime.Object, lw cache.ListerWatcher) func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
	return func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(lw, example, 0, cache.Indexers{})
	}
}

func listing(list runtime.Object) cache.ListerWatcher {
	return unstreamed{&cache.ListWatch{
		ListFunc:  func(metav1.ListOptions) (runtime.Object, error) { return list, nil },
		WatchFunc: func(metav1.ListOptions) (watch.Interface, error) { return watch.NewFake(), nil },
	}}
}

// unstreamed is listed before it is watched.
type unstreamed struct{ *cache.ListWatch }

func (unstreamed) IsWatchListSemanticsUnSupported() bool { return true }

func TestTheFirstInformerOfAKindIsEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f := New(nil, func(o any) (any, error) {
			o.(*corev1.Node).Labels = map[string]string{"changed": "yes"}
			return o, nil
		})
		nodes := &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}}
		f.InformerFor(&corev1.Node{}, of(&corev1.Node{}, listing(nodes)))
		f.Core().V1().Nodes().Informer() // would read through the client, which is none
		f.StartWithContext(ctx)
		f.StartWithContext(ctx) // again is no harm
		if r := f.WaitForCacheSyncWithContext(ctx); r.Err != nil || len(r.Synced) != 1 {
			t.Fatalf("waited for Nodes: %+v", r)
		}
		got, err := f.Core().V1().Nodes().Lister().List(labels.Everything())
		if err != nil || len(got) != 1 || got[0].Labels["changed"] != "yes" {
			t.Errorf("listed %v, %v: want Node a as the transform leaves it", got, err)
		}
		cancel()
		f.Shutdown()
	})
}

func TestWaitingEndsWithItsContextAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f := New(nil, nil)
		never := &cache.ListWatch{
			ListFunc:  func(metav1.ListOptions) (runtime.Object, error) { return nil, errors.New("no") },
			WatchFunc: func(metav1.ListOptions) (watch.Interface, error) { return nil, errors.New("no") },
		}
		f.InformerFor(&corev1.Node{}, of(&corev1.Node{}, never))
		f.StartWithContext(ctx)
		waiting, end := context.WithTimeoutCause(ctx, time.Minute, errors.New("too late"))
		defer end()
		if r := f.WaitForCacheSyncWithContext(waiting); r.Err == nil || r.Err.Error() != "too late" {
			t.Errorf("a list that fails for ever: %+v, want the context's cause", r)
		}
		cancel()
		f.Shutdown()
		f.InformerFor(&corev1.Pod{}, of(&corev1.Pod{}, never))
		f.Start(nil)
		if r := f.WaitForCacheSync(ctx.Done()); len(r) != 1 {
			t.Errorf("after the shutdown %v are started, want Nodes only", r)
		}
	})
}

// panicsOnce is an informer whose first run does not begin.
type panicsOnce struct {
	cache.SharedIndexInformer
	runs int
}

func (p *panicsOnce) RunWithContext(ctx context.Context) {
	if p.runs++; p.runs == 1 {
		panic("informer")
	}
	p.SharedIndexInformer.RunWithContext(ctx)
}

func TestAnInformerThatPanicsIsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f := New(nil, nil)
		f.InformerFor(&corev1.Node{}, func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
			list := listing(&corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}})
			return &panicsOnce{SharedIndexInformer: cache.NewSharedIndexInformer(list, &corev1.Node{}, 0, cache.Indexers{})}
		})
		f.StartWithContext(ctx)
		if r := f.WaitForCacheSyncWithContext(ctx); r.Err != nil {
			t.Errorf("waited for Nodes: %+v", r)
		}
		cancel()
		f.Shutdown()
	})
}

func TestEveryGroupHasItsFirstVersion(t *testing.T) {
	f := New(nil, nil)
	for name, got := range map[string]any{
		"admissionregistration": f.Admissionregistration().V1(), "apps": f.Apps().V1(), "certificates": f.Certificates().V1(),
		"core": f.Core().V1(), "discovery": f.Discovery().V1(), "flowcontrol": f.Flowcontrol().V1(), "networking": f.Networking().V1(),
		"node": f.Node().V1(), "policy": f.Policy().V1(), "rbac": f.Rbac().V1(), "resource": f.Resource().V1(),
		"scheduling": f.Scheduling().V1(), "storage": f.Storage().V1(),
	} {
		if got == nil {
			t.Errorf("%s has none", name)
		}
	}
}

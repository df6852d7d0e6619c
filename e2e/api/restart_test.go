package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// A server that is killed while it is written to loses no acknowledged write, and nobody who watched needs to list again.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	const kills, writers, watchers = 4, 4, 3
	p := &apitest.Process{Dir: t.TempDir(), Address: freeAddress(t)}
	p.Start(t)
	t.Cleanup(p.Kill)
	c, err := p.Admin()
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(c)
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()

	var all journal
	var observers []*observer
	var observing, writing sync.WaitGroup
	for range watchers {
		o := &observer{seen: map[string]bool{}}
		if err := o.list(ctx, client); err != nil {
			t.Fatal(err)
		}
		observers = append(observers, o)
		observing.Go(func() { o.follow(ctx, client) })
	}
	stop := make(chan struct{})
	closing := sync.OnceFunc(func() { close(stop) })
	t.Cleanup(closing)
	for i := range writers {
		writing.Go(func() { all.write(ctx, client, fmt.Sprint("w", i), stop) })
	}
	var times []time.Duration
	for i := range kills {
		all.reach(ctx, t, 30*(i+1)+rand.IntN(15))
		p.Kill()
		times = append(times, p.Start(t))
	}
	closing()
	await.Return(t, "the writers ended", writing.Wait)
	slices.Sort(times)
	t.Logf("%d writes acknowledged; %d restarts, p50 %v, slowest %v", len(all.acknowledged), kills, times[len(times)/2], times[len(times)-1])
	all.check(ctx, t, client)
	for i, o := range observers {
		o.await(ctx, t, i, all.acknowledged)
	}
	cancel()
	await.Return(t, "the observers ended", observing.Wait)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// journal is the writes that the server has acknowledged: name and value of ConfigMaps.
type journal struct {
	mu           sync.Mutex
	acknowledged []string
	last         map[string]int
}

// write counts up in one ConfigMap, as fast as it can.
func (j *journal) write(ctx context.Context, client kubernetes.Interface, name string, stop <-chan struct{}) {
	maps := client.CoreV1().ConfigMaps("default")
	for i := 1; ; {
		select {
		case <-stop:
			return
		default:
		}
		o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"n": strconv.Itoa(i)}}
		_, err := maps.Update(ctx, o, metav1.UpdateOptions{})
		if apierrors.IsNotFound(err) {
			_, err = maps.Create(ctx, o, metav1.CreateOptions{})
		}
		if err != nil {
			time.Sleep(2 * time.Millisecond)
			if !apierrors.IsConflict(err) {
				i++ // it may have been written, or not
			}
			continue
		}
		j.mu.Lock()
		j.acknowledged = append(j.acknowledged, name+"="+strconv.Itoa(i))
		if j.last == nil {
			j.last = map[string]int{}
		}
		j.last[name] = i
		j.mu.Unlock()
		i++
	}
}

// reach returns when so many writes are acknowledged.
func (j *journal) reach(ctx context.Context, t *testing.T, writes int) {
	t.Helper()
	for {
		j.mu.Lock()
		n := len(j.acknowledged)
		j.mu.Unlock()
		if n >= writes {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%d writes are acknowledged, want %d", n, writes)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// check finds each ConfigMap at its last acknowledged value or a later one.
func (j *journal) check(ctx context.Context, t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for name, last := range j.last {
		o, err := client.CoreV1().ConfigMaps("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := strconv.Atoi(o.Data["n"]); n < last {
			t.Errorf("%s is %d, %d was acknowledged", name, n, last)
		}
	}
}

// observer lists once and then watches from the last revision that it has seen, again and again.
type observer struct {
	mu      sync.Mutex
	from    string
	seen    map[string]bool
	expired error
	order   []uint64
}

func (o *observer) list(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{})
	if err == nil {
		o.from = list.ResourceVersion
	}
	return err
}

func (o *observer) follow(ctx context.Context, client kubernetes.Interface) {
	for ctx.Err() == nil {
		w, err := client.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{ResourceVersion: o.from, AllowWatchBookmarks: true})
		if err != nil {
			o.fail(err)
			time.Sleep(5 * time.Millisecond)
			continue
		}
		for e := range w.ResultChan() {
			o.take(e)
		}
		w.Stop()
	}
}

func (o *observer) fail(err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		o.mu.Lock()
		o.expired = err
		o.mu.Unlock()
	}
}

func (o *observer) take(e watch.Event) {
	if e.Type == watch.Error {
		o.fail(apierrors.FromObject(e.Object))
		return
	}
	c := e.Object.(*corev1.ConfigMap)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = c.ResourceVersion
	if e.Type != watch.Bookmark {
		revision, _ := strconv.ParseUint(c.ResourceVersion, 10, 64)
		o.order = append(o.order, revision)
		o.seen[c.Name+"="+c.Data["n"]] = true
	}
}

// await returns when the observer has seen every acknowledged write, each once and in order.
func (o *observer) await(ctx context.Context, t *testing.T, number int, acknowledged []string) {
	t.Helper()
	missing := func() (first string, count int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, w := range acknowledged {
			if !o.seen[w] {
				first, count = w, count+1
			}
		}
		return first, count
	}
	for ctx.Err() == nil {
		if _, n := missing(); n == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.expired != nil {
		t.Errorf("observer %d was told to list again: %v", number, o.expired)
	}
	for i := 1; i < len(o.order); i++ {
		if o.order[i] <= o.order[i-1] {
			t.Errorf("observer %d saw revision %d after %d", number, o.order[i], o.order[i-1])
		}
	}
	for _, w := range acknowledged {
		if !o.seen[w] {
			t.Errorf("observer %d never saw %s", number, w)
			return
		}
	}
}

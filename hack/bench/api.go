package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// What the API is asked, by how many clients at once.
const (
	apiObjects  = 4000
	apiClients  = 20
	apiWatchers = 10
	apiLists    = 60
	apiListers  = 4
)

// api measures control planes that are asked for much: rates, the CPU time that their processes take for a request, memory afterwards.
// Answers are read and not decoded, as the clients share the machine with what is measured.
func (b *bench) api(ctx context.Context) error {
	all := make([]map[string][]load, len(b.contenders))
	var figures []string
	for round := range b.rounds {
		for i, c := range b.contenders {
			b.tell("%s: API, %d of %d", c.name(), round+1, b.rounds)
			loads, err := b.apiRound(ctx, c)
			if err != nil {
				return fmt.Errorf("measuring the API of %s: %w", c.name(), err)
			}
			if all[i] == nil {
				all[i] = map[string][]load{}
			}
			for _, l := range loads {
				if !slices.Contains(figures, l.figure) {
					figures = append(figures, l.figure)
				}
				all[i][l.figure] = append(all[i][l.figure], l)
			}
		}
	}
	for _, figure := range figures {
		for i, c := range b.contenders {
			b.report(c, "API, "+figure, "%s", medianLoad(all[i][figure]))
		}
	}
	return nil
}

// load is how something went: a rate with the CPU time for each, or a memory.
type load struct {
	figure string
	rate   float64 // a second
	cpu    time.Duration
	p99    time.Duration
	rss    int64
	count  int
}

func (l load) String() string {
	if l.count > 0 {
		return fmt.Sprint(l.count)
	}
	if l.rss > 0 {
		return fmt.Sprintf("%d MB RSS", l.rss>>20)
	}
	return fmt.Sprintf("%.0f/s, p99 %s, %s CPU each", l.rate, l.p99.Round(100*time.Microsecond), l.cpu.Round(10*time.Microsecond))
}

// medianLoad is the one with the median rate, or memory.
func medianLoad(all []load) string {
	if len(all) == 0 {
		return "-"
	}
	slices.SortFunc(all, func(a, b load) int { return int(a.rate - b.rate + float64(a.rss-b.rss+int64(a.count-b.count))) })
	return all[len(all)/2].String()
}

func (b *bench) apiRound(ctx context.Context, c contender) (loads []load, err error) {
	s, err := c.install(false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Down()) }()
	r, err := start(ctx, s)
	if err != nil {
		return nil, err
	}
	pids, err := s.ServerProcesses()
	if err != nil {
		return nil, err
	}
	for _, format := range []struct{ name, mediaType string }{{"JSON", runtime.ContentTypeJSON}, {"protobuf", runtime.ContentTypeProtobuf}} {
		for _, k := range asked {
			l, err := apiLoad(ctx, r, pids, k, format.name, format.mediaType)
			if err != nil {
				return nil, fmt.Errorf("%s as %s: %w", k.resource, format.name, err)
			}
			loads = append(loads, l...)
		}
	}
	u, err := usageOf(pids)
	return append(loads, load{figure: "memory afterwards", rss: u.rss}), err
}

// kind is what is asked for.
type kind struct {
	name, resource string
	object         func(i int) runtime.Object
}

var asked = []kind{
	{"ConfigMaps", "configmaps", func(i int) runtime.Object {
		return &corev1.ConfigMap{ObjectMeta: apiMeta(i), Data: map[string]string{"a": strings.Repeat("x", 512), "b": "2"}}
	}},
	{"Pods", "pods", func(i int) runtime.Object {
		return &corev1.Pod{ObjectMeta: apiMeta(i), Spec: corev1.PodSpec{AutomountServiceAccountToken: new(bool), Containers: []corev1.Container{
			{Name: "a", Image: "nginx:1", Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}, Ports: []corev1.ContainerPort{{ContainerPort: 80}}},
			{Name: "b", Image: "sidecar:1", Args: []string{"--x", "--y=z"}},
		}}}
	}},
}

func apiMeta(i int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: apiName(i), Labels: map[string]string{"app": "load", "i": fmt.Sprint(i % 10)}}
}

func apiName(i int) string { return fmt.Sprintf("o%06d", i) }

// apiLoad has one kind created, watched, read, listed and patched in one format.
func apiLoad(ctx context.Context, r *running, pids []int, k kind, format, mediaType string) ([]load, error) {
	namespace := "load-" + strings.ToLower(format) + "-" + k.resource
	if err := newNamespace(ctx, r.client, namespace); err != nil {
		return nil, err
	}
	clients, err := apiConnections(r, mediaType, true)
	if err != nil {
		return nil, err
	}
	compressing, err := apiConnections(r, mediaType, false)
	if err != nil {
		return nil, err
	}
	of := func(i int) *rest.RESTClient { return clients[i%len(clients)] }
	ask := func(verb string, i int) *rest.Request {
		return of(i).Verb(verb).Namespace(namespace).Resource(k.resource)
	}
	var loads []load
	measure := func(figure string, n, clients int, f func(i int) error) {
		var l load
		if err == nil {
			l, err = measureLoad(pids, n, clients, f)
			l.figure = format + ": " + strings.ReplaceAll(figure, "KIND", k.name)
			loads = append(loads, l)
		}
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := watchAll(watching, ask, mediaType)
	if err != nil {
		return nil, err
	}
	measure(fmt.Sprintf("creates of KIND, %d clients, %d watchers", apiClients, apiWatchers), apiObjects, apiClients, func(i int) error {
		return ask("POST", i).Body(k.object(i)).Do(ctx).Error()
	})
	if err == nil {
		var ended int
		if ended, err = w.all(); ended > 0 {
			loads = append(loads, load{figure: loads[0].figure + ": watches that the server ended", count: ended})
		}
	}
	cancel()
	measure("gets of KIND", apiObjects, apiClients, func(i int) error { return read(ctx, ask("GET", i).Name(apiName(i))) })
	measure("lists of 500 KIND", apiLists, apiListers, func(i int) error {
		return read(ctx, ask("GET", i).Param("limit", "500"))
	})
	measure("lists of a tenth of KIND, by label", apiLists, apiListers, func(i int) error {
		return read(ctx, ask("GET", i).Param("labelSelector", "i=3").Param("resourceVersion", "0"))
	})
	measure(fmt.Sprintf("lists of %d KIND", apiObjects), apiLists, apiListers, func(i int) error { return read(ctx, ask("GET", i)) })
	measure(fmt.Sprintf("lists of %d KIND, gzip", apiObjects), apiLists, apiListers, func(i int) error {
		return read(ctx, compressing[i%len(compressing)].Get().Namespace(namespace).Resource(k.resource))
	})
	measure("merge patches of KIND", apiObjects/4, apiClients, func(i int) error {
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"x": fmt.Sprint(i)}}})
		return of(i).Patch("application/merge-patch+json").Namespace(namespace).Resource(k.resource).Name(apiName(i)).Body(patch).Do(ctx).Error()
	})
	return loads, err
}

// read reads an answer to its end.
func read(ctx context.Context, r *rest.Request) error {
	_, err := r.Do(ctx).Raw()
	return err
}

func newNamespace(ctx context.Context, client kubernetes.Interface, name string) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := client.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) { // without it no Pod is admitted
		_, err = client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if err == nil || time.Since(began) > patience {
			return err
		}
	}
}

// apiConnections are clients with a connection each.
func apiConnections(r *running, mediaType string, plain bool) ([]*rest.RESTClient, error) {
	var clients []*rest.RESTClient
	for range 4 {
		config, err := r.AdminConfig()
		if err != nil {
			return nil, err
		}
		config.QPS, config.DisableCompression, config.Dial = -1, plain, ownDialer()
		config.ContentType, config.AcceptContentTypes = mediaType, mediaType
		config.APIPath, config.GroupVersion, config.NegotiatedSerializer = "/api", &corev1.SchemeGroupVersion, scheme.Codecs.WithoutConversion()
		client, err := rest.RESTClientFor(config)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	return clients, nil
}

// watched counts what watchers are told.
type watched struct {
	watchers [apiWatchers]struct {
		added atomic.Int64
		ended atomic.Bool
	}
}

// watchAll starts watches, which end with the context.
func watchAll(ctx context.Context, ask func(verb string, i int) *rest.Request, mediaType string) (*watched, error) {
	var w watched
	for i := range w.watchers {
		stream, err := ask("GET", i).SetHeader("Accept", mediaType+";stream=watch").Param("watch", "true").Param("resourceVersion", "0").Stream(ctx)
		if err != nil {
			return nil, err
		}
		go func() {
			defer stream.Close()
			_ = countAdded(stream, &w.watchers[i].added, mediaType == runtime.ContentTypeProtobuf)
			w.watchers[i].ended.Store(true)
		}()
	}
	return &w, nil
}

// all waits until each has been told of all objects. A server ends watches whose clients, or itself, do not keep up: they would
// begin again from where they were; here they are counted.
func (w *watched) all() (ended int, err error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		missing := 0
		ended = 0
		for i := range w.watchers {
			if w.watchers[i].added.Load() >= apiObjects {
				continue
			}
			if missing++; w.watchers[i].ended.Load() {
				ended++
			}
		}
		if missing == ended {
			return ended, nil
		}
		if time.Since(began) > patience {
			return ended, fmt.Errorf("%d watchers wait for objects", missing-ended)
		}
	}
}

// countAdded counts the events ADDED in a stream until it ends, without decoding more than their types: lines of JSON, or frames that begin
// with their length in 4 bytes.
func countAdded(stream io.Reader, added *atomic.Int64, frames bool) error {
	r := bufio.NewReaderSize(stream, 64<<10)
	event := make([]byte, 0, 64<<10)
	for {
		var err error
		if frames {
			var length [4]byte
			if _, err = io.ReadFull(r, length[:]); err != nil {
				return err
			}
			event = slices.Grow(event[:0], int(binary.BigEndian.Uint32(length[:])))[:binary.BigEndian.Uint32(length[:])]
			_, err = io.ReadFull(r, event)
		} else {
			event, err = r.ReadSlice('\n')
		}
		if err != nil {
			return err
		}
		if bytes.Contains(event[:min(len(event), 32)], []byte(watch.Added)) {
			added.Add(1)
		}
	}
}

// measureLoad calls f n times, clients at once.
func measureLoad(pids []int, n, clients int, f func(i int) error) (load, error) {
	before, err := usageOf(pids)
	if err != nil {
		return load{}, err
	}
	var next atomic.Int64
	var failed sync.Once
	var wrong error
	took := make([]time.Duration, n)
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				at := time.Now()
				if err := f(i); err != nil {
					failed.Do(func() { wrong = err })
				}
				took[i] = time.Since(at)
			}
		})
	}
	all.Wait()
	while := time.Since(began)
	after, err := usageOf(pids)
	slices.Sort(took)
	return load{rate: float64(n) / while.Seconds(), cpu: (after.cpu - before.cpu) / time.Duration(n), p99: took[n*99/100]}, errors.Join(wrong, err)
}

// ownDialer keeps client-go from sharing one connection among clients of one configuration.
func ownDialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext
}

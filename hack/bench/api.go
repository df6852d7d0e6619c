package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// ownDialer keeps client-go from sharing one connection among clients of one configuration.
func ownDialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext
}

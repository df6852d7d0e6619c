package core

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericrest "k8s.io/apiserver/pkg/registry/generic/rest"
	"k8s.io/apiserver/pkg/registry/rest"
	translator "k8s.io/apiserver/pkg/util/proxy"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/core/kubelets"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// podConnections lead to the kubelet of a pod's node.
type podConnections struct {
	nodes      *resource.Resource[*node]
	kubelets   *kubelets.Transport
	authorizer authorizer.UnconditionalAuthorizer
}

// upgradeMethods open a connection that is then used both ways.
var upgradeMethods = []string{http.MethodGet, http.MethodPost}

func (c *podConnections) subresources() map[string]resource.Subresource[*pod] {
	return map[string]resource.Subresource[*pod]{
		"log":         resource.Read[*pod, *corev1.PodLogOptions]{MIMETypes: []string{"text/plain"}, Do: c.log},
		"exec":        resource.Connect[*pod, *corev1.PodExecOptions]{Methods: upgradeMethods, Do: c.exec},
		"attach":      resource.Connect[*pod, *corev1.PodAttachOptions]{Methods: upgradeMethods, Do: c.attach},
		"portforward": resource.Connect[*pod, *corev1.PodPortForwardOptions]{Methods: upgradeMethods, Do: c.portForward},
	}
}

func (c *podConnections) log(ctx context.Context, pods *resource.Resource[*pod], name string, o *corev1.PodLogOptions) (runtime.Object, error) {
	if errs := core.ValidatePodLogOptions(o); len(errs) > 0 {
		return nil, errors.NewInvalid(corev1.SchemeGroupVersion.WithKind("PodLogOptions").GroupKind(), name, errs)
	}
	p, err := pods.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	container, err := containerOf(p, o.Container)
	if err != nil {
		return nil, err
	}
	logs := &genericrest.LocationStreamer{
		ContentType: "text/plain", Flush: o.Follow,
		ResponseChecker: genericrest.NewGenericHttpResponseChecker(corev1.Resource("pods/log"), name),
		RedirectChecker: genericrest.PreventRedirects,
	}
	if p.Spec.NodeName == "" {
		return logs, nil // nothing runs, nothing is logged
	}
	to, err := c.to(ctx, p)
	if err != nil {
		return nil, err
	}
	logs.Location = &url.URL{Scheme: "https", Host: to.Host(), Path: "/containerLogs/" + p.Namespace + "/" + p.Name + "/" + container, RawQuery: logQuery(o).Encode()}
	if logs.Transport = to.Transport; o.InsecureSkipTLSVerifyBackend {
		logs.Transport = to.Unverified
	}
	return logs, nil
}

func logQuery(o *corev1.PodLogOptions) url.Values {
	q := url.Values{}
	for name, on := range map[string]bool{"follow": o.Follow, "previous": o.Previous, "timestamps": o.Timestamps} {
		if on {
			q.Set(name, "true")
		}
	}
	for name, number := range map[string]*int64{"sinceSeconds": o.SinceSeconds, "tailLines": o.TailLines, "limitBytes": o.LimitBytes} {
		if number != nil {
			q.Set(name, strconv.FormatInt(*number, 10))
		}
	}
	if o.SinceTime != nil {
		q.Set("sinceTime", o.SinceTime.Format(time.RFC3339))
	}
	return q
}

func (c *podConnections) exec(ctx context.Context, pods *resource.Resource[*pod], name string, o *corev1.PodExecOptions, responder rest.Responder) (http.Handler, error) {
	streams := translator.Options{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Tty: o.TTY}
	query := streamQuery(streams)
	query["command"] = o.Command
	return c.stream(ctx, pods, name, "/exec/", o.Container, query, streams, responder)
}

func (c *podConnections) attach(ctx context.Context, pods *resource.Resource[*pod], name string, o *corev1.PodAttachOptions, responder rest.Responder) (http.Handler, error) {
	streams := translator.Options{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Tty: o.TTY}
	return c.stream(ctx, pods, name, "/attach/", o.Container, streamQuery(streams), streams, responder)
}

func streamQuery(o translator.Options) url.Values {
	q := url.Values{}
	for name, on := range map[string]bool{
		corev1.ExecStdinParam: o.Stdin, corev1.ExecStdoutParam: o.Stdout, corev1.ExecStderrParam: o.Stderr, corev1.ExecTTYParam: o.Tty,
	} {
		if on {
			q.Set(name, "1")
		}
	}
	return q
}

func (c *podConnections) stream(ctx context.Context, pods *resource.Resource[*pod], name, path, container string, query url.Values, streams translator.Options, responder rest.Responder) (http.Handler, error) {
	if err := c.mayCreate(ctx); err != nil {
		return nil, err
	}
	p, err := pods.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if container, err = containerOf(p, container); err != nil {
		return nil, err
	}
	to, err := c.to(ctx, p)
	if err != nil {
		return nil, err
	}
	location := &url.URL{Scheme: "https", Host: to.Host(), Path: path + p.Namespace + "/" + p.Name + "/" + container, RawQuery: query.Encode()}
	return kubelets.Stream(location, to.Transport, streams, responder), nil
}

func (c *podConnections) portForward(ctx context.Context, pods *resource.Resource[*pod], name string, o *corev1.PodPortForwardOptions, responder rest.Responder) (http.Handler, error) {
	if err := c.mayCreate(ctx); err != nil {
		return nil, err
	}
	p, err := pods.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	to, err := c.to(ctx, p)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if len(o.Ports) > 0 {
		query.Set(corev1.PortHeader, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(o.Ports)), ","), "[]"))
	}
	location := &url.URL{Scheme: "https", Host: to.Host(), Path: "/portForward/" + p.Namespace + "/" + p.Name, RawQuery: query.Encode()}
	return kubelets.Tunnel(location, to.Transport, responder), nil
}

func (c *podConnections) to(ctx context.Context, p *pod) (*kubelets.Connection, error) {
	if p.Spec.NodeName == "" {
		return nil, errors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", p.Name))
	}
	n, err := c.nodes.Get(ctx, p.Spec.NodeName)
	if err != nil {
		return nil, err
	}
	return c.kubelets.To(n)
}

// containerOf is the container of the name, or the only one.
func containerOf(p *pod, name string) (string, error) {
	if name == "" && len(p.Spec.Containers) == 1 {
		return p.Spec.Containers[0].Name, nil
	}
	var names []string
	found := false
	core.Containers(&p.Spec, func(c *corev1.Container) bool {
		names, found = append(names, c.Name), found || c.Name == name
		return true
	})
	switch {
	case name == "":
		return "", errors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", p.Name, names))
	case !found:
		return "", errors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, p.Name))
	}
	return name, nil
}

// mayCreate asks whether who opens the connection may create: WebSockets are opened with GET, for which the right to read
// would do otherwise.
func (c *podConnections) mayCreate(ctx context.Context) error {
	info, ok := request.RequestInfoFrom(ctx)
	if !ok {
		return errors.NewInternalError(fmt.Errorf("no request info in context"))
	}
	if info.Verb == "create" || c.authorizer == nil {
		return nil
	}
	attributes, err := filters.GetAuthorizerAttributes(ctx)
	if err != nil {
		return errors.NewInternalError(fmt.Errorf("building authorizer attributes: %w", err))
	}
	decision, reason, err := c.authorizer.Authorize(ctx, asCreate{attributes})
	if err != nil {
		return err
	}
	if decision != authorizer.DecisionAllow {
		return errors.NewForbidden(corev1.Resource(info.Resource), info.Name, fmt.Errorf("%s", reason))
	}
	return nil
}

// asCreate is a request as if it were to create.
type asCreate struct{ authorizer.Attributes }

func (asCreate) GetVerb() string { return "create" }

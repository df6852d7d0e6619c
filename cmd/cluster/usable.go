package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// WaitUsable returns when the cluster can be used: the API is ready, the default service account is there and, unless the
// cluster is a control plane alone, its node is Ready and takes Pods, and cluster DNS answers. It asks from outside, as a user
// would, and must run where Services are reachable. Each step is told to progress.
func WaitUsable(ctx context.Context, config *rest.Config, o Options, progress func(format string, args ...any)) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	steps := []struct {
		done string
		wait func(context.Context) error
	}{
		{"API server is ready", func(ctx context.Context) error { return waitReady(ctx, client) }},
		{"default service account is there", func(ctx context.Context) error { return waitServiceAccount(ctx, client) }},
	}
	if !o.ControlPlaneOnly {
		steps = append(steps, []struct {
			done string
			wait func(context.Context) error
		}{
			{"node " + o.NodeName + " is Ready", func(ctx context.Context) error { return waitNode(ctx, client, o.NodeName) }},
			{"cluster DNS answers", func(ctx context.Context) error { return waitDNS(ctx, o) }},
			{"Pods can be scheduled", func(ctx context.Context) error { return tryPod(ctx, client) }},
		}...)
	}
	for _, s := range steps {
		if err := s.wait(ctx); err != nil {
			return fmt.Errorf("waiting until the %s: %w", s.done, err)
		}
		progress("%s", s.done)
	}
	return nil
}

// waitReady asks /readyz until it says yes. There is nothing to watch before the server listens.
func waitReady(ctx context.Context, client kubernetes.Interface) error {
	return retry(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		result := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx)
		var code int
		if result.StatusCode(&code); result.Error() == nil && code == http.StatusOK {
			return nil
		}
		if err := result.Error(); apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return permanent{err} // another cluster's server
		}
		return result.Error()
	})
}

func waitServiceAccount(ctx context.Context, client kubernetes.Interface) error {
	accounts := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault)
	lw := listWatch("default", accounts.List, accounts.Watch)
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.ServiceAccount{}, nil, func(e watch.Event) (bool, error) { return e.Type != watch.Deleted, nil })
	return err
}

// waitNode waits until the node is Ready and free of taints that keep Pods away.
func waitNode(ctx context.Context, client kubernetes.Interface, name string) error {
	nodes := client.CoreV1().Nodes()
	lw := listWatch(name, nodes.List, nodes.Watch)
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.Node{}, nil, func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		if !ok || e.Type == watch.Deleted || node.Spec.Unschedulable {
			return false, nil
		}
		for _, t := range node.Spec.Taints {
			if t.Effect != corev1.TaintEffectPreferNoSchedule {
				return false, nil
			}
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status == corev1.ConditionTrue, nil
			}
		}
		return false, nil
	})
	return err
}

// waitDNS asks cluster DNS, at its Service's address, for the API's Service.
func waitDNS(ctx context.Context, o Options) error {
	client := &dns.Client{Timeout: 300 * time.Millisecond}
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn("kubernetes.default.svc."+o.ClusterDomain), dns.TypeA)
	server := net.JoinHostPort(o.DNSAddress().String(), "53")
	return retry(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		answer, _, err := client.ExchangeContext(ctx, question, server)
		if err == nil && len(answer.Answer) == 0 {
			err = fmt.Errorf("%s answers %s", server, dns.RcodeToString[answer.Rcode])
		}
		return err
	})
}

// tryPod asks the server whether it would take a Pod, without making one.
func tryPod(ctx context.Context, client kubernetes.Interface) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
	}
	return retry(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

// permanent is an error that trying again does not mend.
type permanent struct{ error }

// retry calls try until it succeeds. When ctx ends it says what went wrong last.
func retry(ctx context.Context, every time.Duration, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil || errors.As(err, &permanent{}) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; at last: %w", context.Cause(ctx), err)
		case <-time.After(every):
		}
	}
}

// listWatch lists and watches the object of one name.
func listWatch[L runtime.Object](name string, list func(context.Context, metav1.ListOptions) (L, error), watchFunc func(context.Context, metav1.ListOptions) (watch.Interface, error)) cache.ListerWatcher {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return list(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return watchFunc(ctx, o)
		},
	}
}

package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/dns"
)

// addressFreed is how long a Service that is deleted may keep its address.
const addressFreed = 3 * time.Second

// keepDNSService makes the Service of cluster DNS when it is not there, also when it has been deleted: a user who changes or replaces
// it has the last word.
func (c *Cluster) keepDNSService(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.configOf("system:apiserver"))
	if err != nil {
		return err
	}
	want := dns.Service(c.options.DNSAddress().String())
	changed := make(chan struct{}, 1)
	informer := c.api.Informers().Core().V1().Services().Informer()
	registration, err := informer.AddEventHandler(tellOfAny(func(o metav1.Object) bool {
		s, ok := o.(*corev1.Service)
		return ok && (s.Namespace == want.Namespace && s.Name == want.Name || s.Spec.ClusterIP == want.Spec.ClusterIP)
	}, changed))
	if err != nil {
		return fmt.Errorf("watching the Service of cluster DNS: %w", err)
	}
	// A stopped informer has forgotten its handlers.
	defer func() { _ = informer.RemoveEventHandler(registration) }()
	for first := true; ; {
		taken, err := ensureDNSService(ctx, client, want)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("making the Service of cluster DNS: %w", err)
		}
		var again <-chan time.Time
		if taken && first {
			again = time.After(addressFreed)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			first = true
		case <-again:
			first = false
		}
	}
}

// ensureDNSService looks first: to create a Service again that has its address is refused for the address, not for the name. Where
// another Service has the address, the user's choice, that one stays and the log tells of it.
func ensureDNSService(ctx context.Context, client kubernetes.Interface, service *corev1.Service) (taken bool, err error) {
	services := client.CoreV1().Services(service.Namespace)
	if _, err = services.Get(ctx, service.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return false, err
	}
	_, err = services.Create(ctx, service, metav1.CreateOptions{})
	switch {
	case apierrors.IsInvalid(err):
		klog.ErrorS(err, "The Service of cluster DNS cannot be made", "service", klog.KObj(service))
		return true, nil
	case apierrors.IsAlreadyExists(err):
		return false, nil
	}
	return false, err
}

package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/proxy/dns"
)

// keepDNSService makes the Service of cluster DNS unless it is there: a user who changes or replaces it has the last word.
func (c *Cluster) keepDNSService(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.api.ClientConfig("system:apiserver", "system:masters"))
	if err != nil {
		return err
	}
	if err := ensureDNSService(ctx, client, dns.Service(c.options.DNSAddress().String())); err != nil {
		return fmt.Errorf("making the Service of cluster DNS: %w", err)
	}
	<-ctx.Done()
	return nil
}

// ensureDNSService looks first: to create a Service again that has its address is refused for the address, not for the name. Where
// another Service has the address, the user's choice, that one stays and the log tells of it.
func ensureDNSService(ctx context.Context, client kubernetes.Interface, service *corev1.Service) error {
	services := client.CoreV1().Services(service.Namespace)
	_, err := services.Get(ctx, service.Name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	_, err = services.Create(ctx, service, metav1.CreateOptions{})
	switch {
	case apierrors.IsInvalid(err):
		klog.ErrorS(err, "The Service of cluster DNS cannot be made", "service", klog.KObj(service))
		return nil
	case apierrors.IsAlreadyExists(err):
		return nil
	}
	return err
}

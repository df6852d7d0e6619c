package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/proxy/dns"
)

// keepDNSService makes the Service of cluster DNS, once: a user who changes or replaces it has the last word.
func (c *Cluster) keepDNSService(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.api.ClientConfig("system:apiserver", "system:masters"))
	if err != nil {
		return err
	}
	service := dns.Service(c.options.DNSAddress().String())
	_, err = client.CoreV1().Services(service.Namespace).Create(ctx, service, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the Service of cluster DNS: %w", err)
	}
	<-ctx.Done()
	return nil
}

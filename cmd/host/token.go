package host

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// Tokens are those of a cluster that let machines join: Secrets of kube-system.
type Tokens struct {
	client kubernetes.Interface
	ca     *x509.Certificate
}

// OpenTokens reaches the cluster by an administrator's kubeconfig.
func OpenTokens(kubeconfig string) (*Tokens, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%w; name the server's --data-dir, or a --kubeconfig", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ca, err := authority(config)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's CA in %s: %w", kubeconfig, err)
	}
	return &Tokens{client: client, ca: ca}, nil
}

func authority(config *rest.Config) (*x509.Certificate, error) {
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	if len(config.CAData) == 0 {
		return nil, errors.New("it names none")
	}
	certs, err := cert.ParseCertsPEM(config.CAData)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}

// Create makes a token that so many machines may join by, within the given time; zero is any number, and for ever. It returns it and
// the URL of the server to join.
func (t *Tokens) Create(ctx context.Context, life time.Duration, uses int, description string) (token, server string, err error) {
	if life < 0 {
		return "", "", fmt.Errorf("--ttl: %s is in the past", life)
	}
	if uses < 0 || uses > bootstrap.MaxUses {
		return "", "", fmt.Errorf("--uses: %d is not a number from 0, which is any, to %d", uses, bootstrap.MaxUses)
	}
	made, err := bootstrap.NewToken(t.ca)
	if err != nil {
		return "", "", err
	}
	var expires time.Time
	if life > 0 {
		expires = time.Now().Add(life)
	}
	secret := bootstrap.TokenSecret(made, description, expires)
	bootstrap.LimitUses(secret, uses)
	if _, err := t.client.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return "", "", fmt.Errorf("creating the token: %w", err)
	}
	server, err = t.server(ctx)
	return made.String(), server, err
}

// server is the URL by which nodes reach the API: where the Service kubernetes leads.
func (t *Tokens) server(ctx context.Context) (string, error) {
	slices, err := t.client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil {
		return "", fmt.Errorf("asking for the server's address: %w", err)
	}
	for _, s := range slices.Items {
		if len(s.Endpoints) > 0 && len(s.Endpoints[0].Addresses) > 0 && len(s.Ports) > 0 && s.Ports[0].Port != nil {
			return "https://" + net.JoinHostPort(s.Endpoints[0].Addresses[0], strconv.Itoa(int(*s.Ports[0].Port))), nil
		}
	}
	return "https://SERVER:6443", nil
}

// List prints the tokens that there are, the first to expire first.
func (t *Tokens) List(ctx context.Context, out io.Writer) error {
	secrets, err := t.client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("type", string(api.SecretTypeBootstrapToken)).String(),
	})
	if err != nil {
		return fmt.Errorf("listing tokens: %w", err)
	}
	slices.SortFunc(secrets.Items, func(a, b corev1.Secret) int {
		return cmp.Compare(expiration(&a)+a.Name, expiration(&b)+b.Name)
	})
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tEXPIRES\tUSES\tUSED BY\tDESCRIPTION")
	for i := range secrets.Items {
		s := &secrets.Items[i]
		uses, by := used(s)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Data[api.BootstrapTokenIDKey], cmp.Or(expiration(s), "never"), uses, by, s.Data[api.BootstrapTokenDescriptionKey])
	}
	return w.Flush()
}

// used tells how often a token was used of how many times, and by which nodes.
func used(s *corev1.Secret) (uses, by string) {
	limit, nodes, err := bootstrap.TokenUses(s)
	switch {
	case err != nil:
		return "none", "-"
	case limit == 0:
		return "any", "-" // those are not counted
	}
	return fmt.Sprintf("%d/%d", len(nodes), limit), cmp.Or(strings.Join(nodes, ","), "-")
}

func expiration(s *corev1.Secret) string { return string(s.Data[api.BootstrapTokenExpirationKey]) }

// Delete deletes a token by its ID, or by the whole of it.
func (t *Tokens) Delete(ctx context.Context, id string) error {
	name, err := bootstrap.SecretName(id)
	if err != nil {
		return err
	}
	err = t.client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no token %s", id)
	}
	if err != nil {
		return fmt.Errorf("deleting token %s: %w", id, err)
	}
	return nil
}

package certificates

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// nodesGroup is what all kubelets are members of.
const nodesGroup = "system:nodes"

// check says what is wrong with a request to a signer.
type check func(request *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error

// checks are the signers that this controller is, and what they ask of requests.
func checks() map[string]check {
	return map[string]check{
		certificatesv1.KubeAPIServerClientSignerName:        checkClient,
		certificatesv1.KubeAPIServerClientKubeletSignerName: checkKubeletClient,
		certificatesv1.KubeletServingSignerName:             checkKubeletServing,
		bootstrap.ProxySigner:                               checkNodeProxy,
		"kubernetes.io/legacy-unknown":                      func(*x509.CertificateRequest, []certificatesv1.KeyUsage) error { return nil },
	}
}

func checkClient(_ *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	for _, usage := range usages {
		switch usage {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageClientAuth:
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", usage)
		}
	}
	if !slices.Contains(usages, certificatesv1.UsageClientAuth) {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

func checkKubeletClient(request *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !slices.Equal(request.Subject.Organization, []string{nodesGroup}):
		return errors.New("subject organization is not system:nodes")
	case len(request.DNSNames) > 0:
		return errors.New("DNS subjectAltNames are not allowed")
	case len(request.EmailAddresses) > 0:
		return errors.New("Email subjectAltNames are not allowed") //nolint:staticcheck // the API's words
	case len(request.IPAddresses) > 0:
		return errors.New("IP subjectAltNames are not allowed")
	case len(request.URIs) > 0:
		return errors.New("URI subjectAltNames are not allowed")
	case !isNodeUser(request.Subject.CommonName):
		return errors.New("subject common name does not begin with system:node:")
	}
	return checkUsages(usages, certificatesv1.UsageClientAuth)
}

// checkNodeProxy is about whom the certificate is for; the node among its names is known to the API server as well as a kubelet's is.
func checkNodeProxy(request *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !slices.Equal(request.Subject.Organization, []string{bootstrap.ProxyGroup}):
		return errors.New("subject organization is not " + bootstrap.ProxyGroup)
	case len(request.DNSNames)+len(request.EmailAddresses)+len(request.IPAddresses)+len(request.URIs) > 0:
		return errors.New("subjectAltNames are not allowed")
	case !strings.HasPrefix(request.Subject.CommonName, bootstrap.ProxyUser("")):
		return errors.New("subject common name does not begin with " + bootstrap.ProxyUser(""))
	}
	return checkUsages(usages, certificatesv1.UsageClientAuth)
}

func checkKubeletServing(request *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !slices.Equal(request.Subject.Organization, []string{nodesGroup}):
		return errors.New("subject organization is not system:nodes")
	case len(request.DNSNames) == 0 && len(request.IPAddresses) == 0:
		return errors.New("DNS or IP subjectAltName is required")
	case len(request.EmailAddresses) > 0:
		return errors.New("Email subjectAltNames are not allowed") //nolint:staticcheck // the API's words
	case len(request.URIs) > 0:
		return errors.New("URI subjectAltNames are not allowed")
	}
	if err := checkUsages(usages, certificatesv1.UsageServerAuth); err != nil {
		return err
	}
	if !isNodeUser(request.Subject.CommonName) {
		return errors.New("subject common name does not begin with system:node:")
	}
	return nil
}

// checkUsages asks for digital signature and purpose; key encipherment, which only RSA keys are used for, may be there.
func checkUsages(usages []certificatesv1.KeyUsage, purpose certificatesv1.KeyUsage) error {
	all := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, purpose}
	slices.Sort(all)
	got := slices.Compact(slices.Sorted(slices.Values(usages)))
	without := slices.DeleteFunc(slices.Clone(all), func(u certificatesv1.KeyUsage) bool { return u == certificatesv1.UsageKeyEncipherment })
	if !slices.Equal(got, all) && !slices.Equal(got, without) {
		return fmt.Errorf("usages did not match %v", all)
	}
	return nil
}

package core

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// projected checks the sources of a projected volume, which must not write the same file twice.
func (p *podProblems) projected(at *field.Path, v *corev1.ProjectedVolumeSource) {
	paths := map[string]bool{}
	once := func(path string, value any) {
		if paths[path] {
			p.invalid(at, value, "conflicting duplicate paths")
		}
		paths[path] = true
	}
	for i := range v.Sources {
		s, item, sources := &v.Sources[i], at.Child("sources").Index(i), 0
		keys := func(at *field.Path, name string, items []corev1.KeyToPath) {
			sources++
			p.need(at.Child("name"), name)
			for j := range items {
				p.keyToPath(at.Child("items").Index(j), &items[j])
				if items[j].Path != "" {
					once(items[j].Path, name)
				}
			}
		}
		if s.Secret != nil {
			keys(item.Child("secret"), s.Secret.Name, s.Secret.Items)
		}
		if s.ConfigMap != nil {
			keys(item.Child("configMap"), s.ConfigMap.Name, s.ConfigMap.Items)
		}
		if s.DownwardAPI != nil {
			sources++
			for j := range s.DownwardAPI.Items {
				f := &s.DownwardAPI.Items[j]
				p.downwardFile(item.Child("downwardAPI"), f)
				if f.Path != "" {
					once(f.Path, f.Path)
				}
			}
		}
		if s.ServiceAccountToken != nil {
			sources++
			p.tokenFile(at, item.Child("serviceAccountToken"), s.ServiceAccountToken)
		}
		if s.ClusterTrustBundle != nil {
			sources++
			p.trustBundle(item.Child("clusterTrustBundle"), s.ClusterTrustBundle)
			once(s.ClusterTrustBundle.Path, s.ClusterTrustBundle.Path)
		}
		if s.PodCertificate != nil {
			sources++
			p.podCertificate(item.Child("podCertificate"), s.PodCertificate, once)
		}
		if sources > 1 {
			p.forbidden(item, "may not specify more than 1 volume type per source")
		}
	}
}

// tokenFile reports what is wrong with the path at the volume, where clients have learnt to find it.
func (p *podProblems) tokenFile(volume, at *field.Path, t *corev1.ServiceAccountTokenProjection) {
	if s := t.ExpirationSeconds; s != nil {
		if *s < 10*60 {
			p.invalid(at.Child("expirationSeconds"), *s, "may not specify a duration less than 10 minutes")
		}
		if *s > 1<<32 {
			p.invalid(at.Child("expirationSeconds"), *s, "may not specify a duration larger than 2^32 seconds")
		}
	}
	if p.need(volume.Child("path"), t.Path) {
		p.localPath(volume.Child("path"), t.Path)
	}
}

func (p *podProblems) trustBundle(at *field.Path, b *corev1.ClusterTrustBundleProjection) {
	switch {
	case b.Name != nil && b.SignerName != nil:
		p.invalid(at, b, "only one of name and signerName may be used")
	case b.Name != nil:
		if *b.Name == "" {
			p.required(at.Child("name"), "must be a valid object name")
		}
		for _, message := range trustBundleName(*b.Name) {
			p.invalid(at.Child("name"), *b.Name, fmt.Sprintf("not a valid clustertrustbundlename: %v", message))
		}
		if b.LabelSelector != nil {
			p.invalid(at.Child("labelSelector"), b.LabelSelector, "labelSelector must be unset if name is specified")
		}
	case b.SignerName != nil:
		if *b.SignerName == "" {
			p.required(at.Child("signerName"), "must be a valid signer name")
		}
		p.signer(at.Child("signerName"), *b.SignerName)
		p.join(metav1validation.ValidateLabelSelector(b.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, at.Child("labelSelector")))
	default:
		p.required(at, "either name or signerName must be specified")
	}
	p.need(at.Child("path"), b.Path)
	p.localPath(at.Child("path"), b.Path)
}

// trustBundleName checks the part of the name behind that of its signer, if it has one.
func trustBundleName(name string) []string {
	if i := strings.LastIndex(name, ":"); i >= 0 {
		name = name[i+1:]
	}
	return apivalidation.NameIsDNSSubdomain(name, false)
}

var keyTypes = []string{"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"}

func (p *podProblems) podCertificate(at *field.Path, c *corev1.PodCertificateProjection, once func(string, any)) {
	p.signer(at.Child("signerName"), c.SignerName)
	if !slices.Contains(keyTypes, c.KeyType) {
		p.list = append(p.list, field.NotSupported(at.Child("keyType"), c.KeyType, keyTypes))
	}
	if life := c.MaxExpirationSeconds; life != nil {
		most := int32(91 * 24 * 60 * 60)
		if domain, _, _ := strings.Cut(c.SignerName, "/"); domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io") {
			most = 24 * 60 * 60
		}
		if *life < 3600 {
			p.invalid(at.Child("maxExpirationSeconds"), *life, "if provided, maxExpirationSeconds must be >= 3600")
		}
		if *life > most {
			p.invalid(at.Child("maxExpirationSeconds"), *life, fmt.Sprintf("if provided, maxExpirationSeconds must be <= %d", most))
		}
	}
	files := 0
	for _, f := range []struct{ name, path string }{
		{"credentialBundlePath", c.CredentialBundlePath}, {"keyPath", c.KeyPath}, {"certificateChainPath", c.CertificateChainPath},
	} {
		if f.path != "" {
			files++
			p.localPath(at.Child(f.name), f.path)
			once(f.path, f.path)
		}
	}
	if files == 0 {
		p.required(at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")
	}
}

// signer requires a name like example.com/some-signer.
func (p *problems) signer(at *field.Path, name string) {
	if !p.need(at, name) {
		return
	}
	domain, path, ok := strings.Cut(name, "/")
	switch {
	case !ok || strings.Contains(path, "/"):
		p.invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
	default:
		p.join(partOfSigner(at, name, domain))
		p.join(partOfSigner(at, name, path))
	}
}

func partOfSigner(at *field.Path, name, part string) (errs field.ErrorList) {
	for _, message := range apivalidation.NameIsDNSSubdomain(part, false) {
		errs = append(errs, field.Invalid(at, name, message))
	}
	return errs
}

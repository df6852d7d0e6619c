package openapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/transport"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	helper "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	listers "k8s.io/kube-aggregator/pkg/client/listers/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/handler3"

	"github.com/coracle-k8s/coracle/guard"
)

// aggregatorUser is who asks other API servers for their documents.
const aggregatorUser = "system:aggregator"

// answerLimit is how long another API server may take to list its documents; indexLimit how long the list may be.
const answerLimit, indexLimit = 3 * time.Second, 1 << 20

// Aggregated gets the documents of the API servers behind this one, from them, when somebody asks. What they have is remembered for a
// while, as anybody may ask for the list of all.
type Aggregated struct {
	Services listers.APIServiceLister
	Resolver webhook.ServiceResolver
	// Certificate is this server's own, as a proxy that may name users.
	Certificate func() (*tls.Certificate, error)

	memory memory
}

// remotes are the API services of others that are available.
func (a *Aggregated) remotes() []*apiregistrationv1.APIService {
	all, err := a.Services.List(labels.Everything())
	if err != nil {
		return nil
	}
	var remotes []*apiregistrationv1.APIService
	for _, s := range all {
		if s.Spec.Service != nil && helper.IsAPIServiceConditionTrue(s, apiregistrationv1.Available) {
			remotes = append(remotes, s)
		}
	}
	return remotes
}

func pathOf(s *apiregistrationv1.APIService) string {
	return "apis/" + s.Spec.Group + "/" + s.Spec.Version
}

// index is hashes by path of the documents of those that answer.
func (a *Aggregated) index(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var asking guard.Group
	remotes := a.remotes()
	for _, s := range remotes {
		if a.memory.mayAsk(s, time.Now()) {
			hash := ""
			asking.GoThen("asking an API server for its documents", func() (err error) {
				hash, err = a.hash(ctx, s)
				return err
			}, func(err error) {
				if err != nil {
					hash = ""
				}
				a.memory.learn(s, hash, time.Now())
			})
		}
	}
	asking.Wait()
	return a.memory.of(remotes)
}

// hash asks a server for its list of documents.
func (a *Aggregated) hash(ctx context.Context, s *apiregistrationv1.APIService) (string, error) {
	at, through, err := a.reach(s)
	if err != nil {
		return "", err
	}
	at.Path = "/openapi/v3"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	answer, err := through.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var index handler3.OpenAPIV3Discovery
	if err := json.NewDecoder(io.LimitReader(answer.Body, indexLimit)).Decode(&index); err != nil {
		return "", err
	}
	document, ok := index.Paths[pathOf(s)]
	if !ok {
		return "", errors.New("it has no document of its group")
	}
	relative, err := url.Parse(document.ServerRelativeURL)
	if err != nil {
		return "", err
	}
	return relative.Query().Get("hash"), nil
}

// serve answers with the document at the path, and reports whether one of the servers has it.
func (a *Aggregated) serve(w http.ResponseWriter, r *http.Request, path string) bool {
	for _, s := range a.remotes() {
		if pathOf(s) != path {
			continue
		}
		at, through, err := a.reach(s)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return true
		}
		proxy := &httputil.ReverseProxy{Transport: through, Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(at)
			p.Out.Header.Del("Authorization")
		}}
		proxy.ServeHTTP(w, r)
		return true
	}
	return false
}

// reach finds a server's address and makes a transport that trusts it as its API service says, and shows our certificate.
func (a *Aggregated) reach(s *apiregistrationv1.APIService) (*url.URL, http.RoundTripper, error) {
	to := s.Spec.Service
	port := int32(443)
	if to.Port != nil {
		port = *to.Port
	}
	at, err := a.Resolver.ResolveEndpoint(to.Namespace, to.Name, port)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the server of %s: %w", s.Name, err)
	}
	c := &tls.Config{ServerName: to.Name + "." + to.Namespace + ".svc", InsecureSkipVerify: s.Spec.InsecureSkipTLSVerify, MinVersion: tls.VersionTLS12}
	if len(s.Spec.CABundle) > 0 {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(s.Spec.CABundle)
	}
	if a.Certificate != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return a.Certificate() }
	}
	through := &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}
	return at, transport.NewAuthProxyRoundTripper(aggregatorUser, "", nil, nil, through), nil
}

package authn

import (
	"fmt"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// RequestHeader trusts proxies that show a certificate of the authorities in ca (PEM) for one of the names: their
// X-Remote-* headers say who the user is. Aggregated API servers are told to do the same.
func RequestHeader(ca []byte, names ...string) (*authenticatorfactory.RequestHeaderConfig, error) {
	authorities, err := dynamiccertificates.NewStaticCAContent("request-header", ca)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of front proxies: %w", err)
	}
	return &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   authorities,
		AllowedClientNames:  headerrequest.StaticStringSlice(names),
		UsernameHeaders:     headerrequest.StaticStringSlice{"X-Remote-User"},
		UIDHeaders:          headerrequest.StaticStringSlice{"X-Remote-Uid"},
		GroupHeaders:        headerrequest.StaticStringSlice{"X-Remote-Group"},
		ExtraHeaderPrefixes: headerrequest.StaticStringSlice{"X-Remote-Extra-"},
	}, nil
}

func requestHeader(c *authenticatorfactory.RequestHeaderConfig) authenticator.Request {
	return headerrequest.NewDynamicVerifyOptionsSecure(c.CAContentProvider.VerifyOptions,
		c.AllowedClientNames, c.UsernameHeaders, c.UIDHeaders, c.GroupHeaders, c.ExtraHeaderPrefixes)
}

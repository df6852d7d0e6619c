package authn

import (
	"fmt"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// clientCertificates knows users by certificates of the authorities in ca (PEM).
func clientCertificates(ca []byte) (authenticator.Request, error) {
	authorities, err := dynamiccertificates.NewStaticCAContent("client-ca", ca)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities of client certificates: %w", err)
	}
	return x509.NewDynamic(authorities.VerifyOptions, x509.CommonNameUserConversion), nil
}

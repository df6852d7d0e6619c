package server

import (
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/server/healthz"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	helper "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1/helper"
	listers "k8s.io/kube-aggregator/pkg/client/listers/apiregistration/v1"
)

// registered is the health check that passes when all built-in group versions can be discovered. pending names others that are missing.
func registered(names []string, services listers.APIServiceLister, pending func() []string) healthz.HealthChecker {
	return healthz.NamedCheck("autoregister-completion", func(*http.Request) error {
		missing := pending()
		for _, name := range names {
			s, err := services.Get(name)
			if err != nil || !helper.IsAPIServiceConditionTrue(s, apiregistrationv1.Available) {
				missing = append(missing, name)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("API services are not available yet: %s", strings.Join(missing, ", "))
		}
		return nil
	})
}

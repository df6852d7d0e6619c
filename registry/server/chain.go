package server

import (
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/filters/impersonation"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/routine"
	flowcontrolrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"
)

// chain is the way of a request, read from the bottom up: it is known and recorded before it may wait for its turn, and has
// waited before it is authorized. Admission comes behind, when an object has been read.
func (s *Server) chain(api http.Handler, c *genericapiserver.Config) http.Handler {
	h := api
	h = filters.WithAuthorization(h, c.Authorization.Authorizer, c.Serializer)
	h = inTurn(h, c)
	h = impersonation.WithConstrainedImpersonation(h, c.Authorization.Authorizer, c.Serializer)
	h = filters.WithAudit(h, c.AuditBackend, c.AuditPolicyRuleEvaluator, c.LongRunningFunc)
	h = filters.WithAuthentication(h, c.Authentication.Authenticator, unauthorized(c), c.Authentication.APIAudiences, c.Authentication.RequestHeaderConfig)
	h = filters.WithWarningRecorder(h)
	// From here on inwards a request runs in a goroutine of its own, which may outlive the answer that time is up.
	h = serverfilters.WithTimeoutForNonLongRunningRequests(h, c.LongRunningFunc)
	h = filters.WithRequestDeadline(h, c.AuditBackend, c.AuditPolicyRuleEvaluator, c.LongRunningFunc, c.Serializer, c.RequestTimeout)
	h = serverfilters.WithWaitGroup(h, c.LongRunningFunc, c.NonLongRunningRequestWaitGroup)
	h = filters.WithCacheControl(h)
	h = serverfilters.WithHTTPLogging(h)
	h = filters.WithLatencyTrackers(h)
	h = routine.WithRoutine(h, c.LongRunningFunc) // spares long-running requests the stack of all that is above
	h = endLongRunning(h, s.stopping, c.LongRunningFunc)
	h = filters.WithRequestInfo(h, c.RequestInfoResolver)
	h = filters.WithRequestReceivedTimestamp(h)
	h = filters.WithMuxAndDiscoveryComplete(h, s.complete)
	h = serverfilters.WithPanicRecovery(h, c.RequestInfoResolver)
	h = filters.WithAuditInit(h)
	return withPage(h, s.config.Page)
}

// withPage answers with the page itself, which is the same for all and of which nothing needs to be recorded; what it asks for then
// goes through the chain.
func withPage(h, page http.Handler) http.Handler {
	if page == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ui" || strings.HasPrefix(r.URL.Path, "/ui/") {
			page.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// inTurn shares the server fairly between its users.
func inTurn(h http.Handler, c *genericapiserver.Config) http.Handler {
	if c.FlowControl == nil {
		return serverfilters.WithMaxInFlightLimit(h, c.MaxRequestsInFlight, c.MaxMutatingRequestsInFlight, c.LongRunningFunc)
	}
	work := flowcontrolrequest.NewWorkEstimator(c.StorageObjectCountTracker.Get, c.FlowControl.GetInterestedWatchCount,
		flowcontrolrequest.DefaultWorkEstimatorConfig(), c.FlowControl.GetMaxSeats)
	return serverfilters.WithPriorityAndFairness(h, c.LongRunningFunc, c.FlowControl, work, c.RequestTimeout/4)
}

func unauthorized(c *genericapiserver.Config) http.Handler {
	return filters.WithFailedAuthenticationAudit(filters.Unauthorized(c.Serializer), c.AuditBackend, c.AuditPolicyRuleEvaluator)
}

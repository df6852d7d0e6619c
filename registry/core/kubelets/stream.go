package kubelets

import (
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/apiserver/pkg/registry/rest"
	translator "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/coracle-k8s/coracle/streaming"
)

// Stream hands a request for exec or attach over to the kubelet. WebSockets of the protocol that can say when a stream
// ends are translated to SPDY, which the kubelet speaks; all else passes as it is.
func Stream(location *url.URL, transport http.RoundTripper, options translator.Options, responder rest.Responder) http.Handler {
	pass := upgrade(location, transport, responder)
	return lingering(translator.NewTranslatingHandler(pass, &translation{location, transport, options}, wsstream.IsWebSocketRequestWithStreamCloseProtocol))
}

// Tunnel hands a request for port forwarding over to the kubelet. SPDY within WebSockets is unwrapped.
func Tunnel(location *url.URL, transport http.RoundTripper, responder rest.Responder) http.Handler {
	pass := upgrade(location, transport, responder)
	return lingering(translator.NewTranslatingHandler(pass, translator.NewTunnelingHandler(pass), wsstream.IsWebSocketRequestWithTunnelingProtocol))
}

// lingering lets clients read all that was written to them, however late they do.
func lingering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(streaming.Hijacking(w), r) })
}

func upgrade(location *url.URL, transport http.RoundTripper, responder rest.Responder) http.Handler {
	return proxy.NewUpgradeAwareHandler(location, transport, false, true, proxy.NewErrorResponder(responder))
}

// Proxy forwards any request to the location, and rewrites links in what comes back.
func Proxy(location *url.URL, transport http.RoundTripper, responder rest.Responder) http.Handler {
	return lingering(proxy.NewUpgradeAwareHandler(location, transport, true, false, proxy.NewErrorResponder(responder)))
}

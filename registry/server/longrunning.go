package server

import (
	"context"
	"net/http"
	"time"

	"k8s.io/apiserver/pkg/endpoints/request"
)

// lastWord is how long requests without an end of their own have to end well.
const lastWord = time.Second

// stopping ends when the server is to end.
type stopping struct{ context.Context }

// ShuttingDown implements request.ServerShutdownSignal.
func (s stopping) ShuttingDown() <-chan struct{} { return s.Done() }

// endLongRunning ends requests that last for minutes when the server is to end, which would wait for them: watches as if their time
// was up, so that clients resume them where they were; followed logs and whatever else is still under way soon after.
func endLongRunning(next http.Handler, end stopping, longRunning request.LongRunningRequestCheck) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, ok := request.RequestInfoFrom(r.Context())
		if !ok || !longRunning(r, info) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(request.WithServerShutdownSignal(r.Context(), end))
		defer cancel()
		defer context.AfterFunc(end, func() { time.AfterFunc(lastWord, cancel) })()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

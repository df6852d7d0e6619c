package health

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

// listening is a server that runs.
type listening struct {
	server  *http.Server
	serving guard.Group
}

// listen serves at an address until close.
func listen(address string, handler http.Handler) (*listening, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &listening{server: &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}}
	l.serving.Keep(context.Background(), "serving the proxy's health", func(context.Context) { // until close
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.Background().Error(err, "Serving the proxy's health", "address", address)
		}
	})
	return l, nil
}

func (l *listening) close() {
	l.server.Close()
	l.serving.Wait()
}

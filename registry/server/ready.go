package server

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/registry/server/bootstrap"
)

const (
	// How often a starting server is asked whether it is ready, at first and later: hooks do not say when they end.
	askSoon, askLater = 5 * time.Millisecond, 250 * time.Millisecond
	// grace is how long others wait for a server that answers but is not ready: they would take the processors from what it
	// still has to do, which is over long before unless it cannot be done.
	grace = 2 * time.Second
)

// announce closes Answering and Ready when they are so, and makes Service kubernetes lead here.
func (s *Server) announce(ctx context.Context) {
	client, err := rest.HTTPClientFor(s.ClientConfig(serverUser))
	if err != nil {
		return
	}
	began, answering := time.Now(), closed(s.answering)
	for pause := askSoon; ; pause = min(pause*5/4, askLater) {
		// The storage has been read from when it was opened. Asked each time it would be a fair part of what a start is.
		if answersReady(ctx, client, "etcd", "etcd-readiness") && answersReady(ctx, client) {
			break
		}
		if !answering && time.Since(began) > grace && answersReady(ctx, client, ownWrites()...) {
			answering = true
			close(s.answering)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
	if !answering {
		close(s.answering)
	}
	if !closed(s.ready) { // by this, before a panic
		close(s.ready)
	}
	_ = s.bootstrap.Publish(ctx) // fails only when the server stops
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ownWrites are the checks that wait until the server has written something.
func ownWrites() []string {
	checks := []string{"autoregister-completion", "poststarthook/kube-apiserver-autoregistration"}
	for _, s := range bootstrap.Steps() {
		checks = append(checks, "poststarthook/"+s.Name)
	}
	return checks
}

// answersReady asks /readyz, but for some of its checks.
func answersReady(ctx context.Context, client *http.Client, without ...string) bool {
	at := "http://in-process/readyz?" + url.Values{"exclude": without}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return false
	}
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

package server

import (
	"context"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// askEvery is how often a starting server is asked whether it is ready: hooks do not say when they end.
const askEvery = 5 * time.Millisecond

// announce closes Ready when /readyz says so, and makes Service kubernetes lead here.
func (s *Server) announce(ctx context.Context) {
	client, err := rest.HTTPClientFor(s.ClientConfig(serverUser, "system:masters"))
	if err != nil {
		return
	}
	again := time.NewTicker(askEvery)
	defer again.Stop()
	for !answersReady(ctx, client) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
	close(s.ready)
	_ = s.bootstrap.Publish(ctx) // fails only when the server stops
}

func answersReady(ctx context.Context, client *http.Client) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://in-process/readyz", http.NoBody)
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

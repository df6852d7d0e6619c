package server

import (
	"context"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// announce closes Ready when /readyz says so, and makes Service kubernetes lead here.
func (s *Server) announce(ctx context.Context) {
	client, err := rest.HTTPClientFor(s.ClientConfig(serverUser, "system:masters"))
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		if answersReady(ctx, client) {
			close(s.ready)
			_ = s.bootstrap.Publish(ctx) // fails only when the server stops
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
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

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"
)

// running is a server that was started.
type running struct {
	server
	client kubernetes.Interface
	began  time.Time
	// ready is how long it took from exec to /readyz.
	ready time.Duration
}

// patience is how long anything may take that is waited for.
const patience = 2 * time.Minute

// start starts a server and returns when its API is ready, and what needs that is on its way.
func start(ctx context.Context, s server) (*running, error) {
	r := &running{server: s, began: time.Now()}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	if err := r.awaitReady(ctx); err != nil {
		return nil, err
	}
	if err := s.Proceed(ctx); err != nil {
		return nil, err
	}
	config, err := s.AdminConfig()
	if err != nil {
		return nil, err
	}
	r.client, err = kubernetes.NewForConfig(config)
	return r, err
}

// awaitReady asks again and again, by fresh connections and without verification: the certificate may not exist yet.
func (r *running) awaitReady(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for time.Since(r.began) < patience && ctx.Err() == nil {
		if response, err := client.Get(r.URL() + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				r.ready = time.Since(r.began)
				return nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.Join(fmt.Errorf("the API is not ready after %s: %s", time.Since(r.began).Round(time.Second), r.LastWords()), ctx.Err())
}

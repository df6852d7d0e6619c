package apitest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/registry/server"
)

// patience is how long tests wait for what should happen at once.
const patience = await.Limit

// Start runs a server until the test ends, and fails the test if the server does not stop cleanly or somebody has changed
// objects that parts of it share.
func Start(t testing.TB, changes ...func(*server.Config)) *Running {
	t.Helper()
	r, stop := StartIn(t, t.TempDir(), changes...)
	t.Cleanup(stop)
	return r
}

// StartIn runs a server on a directory, which may have been another's, until stop is called.
func StartIn(t testing.TB, dir string, changes ...func(*server.Config)) (r *Running, stop func()) {
	t.Helper()
	r, end, err := begin(dir, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return r, func() {
		t.Helper()
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

// Refused starts a server that must not start, and returns why it does not.
func Refused(t testing.TB, changes ...func(*server.Config)) error {
	t.Helper()
	_, end, err := begin(t.TempDir(), changes...)
	if err == nil {
		t.Fatal("the server starts:", end())
	}
	return err
}

// begin returns when the server is ready.
func begin(dir string, changes ...func(*server.Config)) (r *Running, end func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err = New(ctx, Options{Dir: dir, Change: func(c *server.Config) {
		c.DetectMutations = true
		for _, change := range changes {
			change(c)
		}
	}})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.Server.Run(ctx) }()
	select {
	case <-r.Server.Ready():
	case err := <-stopped:
		cancel()
		return nil, nil, fmt.Errorf("the server stopped before it was ready: %w", err)
	case <-time.After(patience):
		why := r.unready()
		cancel()
		return nil, nil, fmt.Errorf("the server does not get ready: %s", why)
	}
	return r, func() error {
		var errs []error
		for _, m := range r.Server.Tee().Mutations() {
			errs = append(errs, errors.New(m))
		}
		cancel()
		select {
		case err := <-stopped:
			if err != nil {
				errs = append(errs, fmt.Errorf("stopping the server: %w", err))
			}
		case <-time.After(patience):
			errs = append(errs, errors.New("the server does not stop"))
		}
		return errors.Join(errs...)
	}, nil
}

// unready is what /readyz says is missing.
func (r *Running) unready() string {
	c := r.Server.ClientConfig("admin", "system:masters")
	c.ContentType, c.AcceptContentTypes = "", ""
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return err.Error()
	}
	answer, err := client.Get("http://in-process/readyz")
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	var missing []string
	for line := range strings.Lines(string(said)) {
		if strings.HasPrefix(line, "[-]") {
			missing = append(missing, strings.TrimSpace(line))
		}
	}
	return strings.Join(missing, "; ")
}

// Config is the administrator's client configuration.
func (r *Running) Config(t testing.TB) *rest.Config {
	t.Helper()
	c, err := r.Admin()
	if err != nil {
		t.Fatal(err)
	}
	c.WarningHandler = rest.NoWarnings{}
	return c
}

// Client is the administrator's.
func (r *Running) Client(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	return kubernetes.NewForConfigOrDie(r.Config(t))
}

// Context ends when the test should have.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

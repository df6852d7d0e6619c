// Package await is how tests wait: for something that has a name, and not for ever.
package await

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// Limit is how long anything may take. A machine whose processors others use keeps it: only what fails takes so long.
const Limit = 5 * time.Minute

// Client gives up what is not answered, to the last byte, within the Limit.
var Client = &http.Client{Timeout: Limit}

// Receive returns what the channel gives, which is the zero value where it is closed. It ends the test where that never comes;
// what names it: "never: the server stopped".
func Receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	select {
	case v := <-from:
		return v
	case <-limit.C:
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

// Match receives until a value is as ok says, and returns that one. The values before it are told where it never comes.
func Match[T any](t testing.TB, from <-chan T, what string, ok func(T) bool) T {
	t.Helper()
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	for count := 0; ; count++ {
		select {
		case v, open := <-from:
			if !open {
				t.Fatalf("never: %s: the channel was closed after %d others", what, count)
			}
			if ok(v) {
				return v
			}
		case <-limit.C:
			t.Fatalf("never: %s: only %d others", what, count)
		}
	}
}

// Until calls ok until it returns true.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Return waits for f, which blocks, to return: a WaitGroup's Wait, for example. f must not end the test.
func Return(t testing.TB, what string, f func()) {
	t.Helper()
	returned := make(chan struct{})
	go func() { defer close(returned); f() }()
	Receive(t, returned, what)
}

// Context ends with the test, or at the Limit; context.Cause then says what took so long.
func Context(t testing.TB, what string) context.Context {
	t.Helper()
	base := t.Context()
	if base.Err() != nil {
		base = context.Background() // for a cleanup
	}
	ctx, cancel := context.WithTimeoutCause(base, Limit, fmt.Errorf("never: %s", what))
	t.Cleanup(cancel)
	return ctx
}

// Command is killed where it runs for longer than the Limit, or than the test, and who inherited its output is not waited for.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(Context(t, name), name, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

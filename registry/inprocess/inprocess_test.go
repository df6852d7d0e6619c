package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
)

func open(h http.HandlerFunc) http.RoundTripper {
	d := NewDoor()
	d.Open(h)
	return d.As(&user.DefaultInfo{Name: "me"})
}

func send(t *testing.T, through http.RoundTripper, ctx context.Context, body string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://in-process/x?y=z", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return through.RoundTrip(r)
}

func TestHandlersKnowTheUser(t *testing.T) {
	through := open(func(w http.ResponseWriter, r *http.Request) {
		who, ok, err := Authenticator().AuthenticateRequest(r)
		if !ok || err != nil {
			t.Errorf("not authenticated: %v", err)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("A", "b")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s", who.User.GetName(), r.RequestURI, body)
	})
	answer, err := send(t, through, context.Background(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusCreated || answer.Header.Get("A") != "b" || string(body) != "me /x?y=z hello" {
		t.Errorf("%d %v %q %v", answer.StatusCode, answer.Header, body, err)
	}
}

func TestHandlersKnowNothingElseOfTheSender(t *testing.T) {
	through := open(func(w http.ResponseWriter, r *http.Request) {
		if v := r.Context().Value(key{}); v != nil {
			t.Errorf("the sender's context came along: %v", v)
		}
	})
	answer, err := send(t, through, context.WithValue(context.Background(), key{}, "secret"), "")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
}

type key struct{}

func TestOtherRequestsAreNobodys(t *testing.T) {
	r, _ := http.NewRequest(http.MethodGet, "http://in-process/", http.NoBody)
	if _, ok, err := Authenticator().AuthenticateRequest(r); ok || err != nil {
		t.Errorf("authenticated %v, %v", ok, err)
	}
}

func TestAnswersStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		through := open(func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				fmt.Fprint(w, i)
				w.(http.Flusher).Flush()
				select {
				case <-more:
				case <-r.Context().Done():
					return
				}
			}
		})
		answer, err := send(t, through, context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			b := make([]byte, 10)
			if n, err := answer.Body.Read(b); err != nil || string(b[:n]) != fmt.Sprint(i) {
				t.Errorf("%q, %v", b[:n], err)
			}
			more <- struct{}{}
		}
		if _, err := answer.Body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
}

func TestClosingTheBodyEndsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		through := open(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(ended)
		})
		answer, err := send(t, through, context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		<-ended
	})
}

func TestDeadlinesAndAbortsAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := open(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := send(t, slow, ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		if _, err := send(t, open(func(http.ResponseWriter, *http.Request) { panic("oh") }), context.Background(), ""); !errors.Is(err, ErrAborted) {
			t.Errorf("after a panic: %v", err)
		}
		answer, err := send(t, open(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); string(body) != "half" || !errors.Is(err, ErrAborted) {
			t.Errorf("aborted midway: %q, %v", body, err)
		}
	})
}

func TestRequestsWaitForTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDoor()
		go func() {
			time.Sleep(time.Second)
			d.Open(http.NotFoundHandler())
		}()
		answer, err := send(t, d.As(&user.DefaultInfo{}), context.Background(), "")
		if err != nil || answer.StatusCode != http.StatusNotFound {
			t.Errorf("%v, %v", answer, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := send(t, NewDoor().As(&user.DefaultInfo{}), ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before a closed door: %v", err)
		}
	})
}

func TestClosedDoorRefuses(t *testing.T) {
	d := NewDoor()
	d.Open(http.NotFoundHandler())
	d.Close()
	if _, err := send(t, d.As(&user.DefaultInfo{}), context.Background(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

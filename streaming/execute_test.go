package streaming_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	client "k8s.io/client-go/tools/remotecommand"
	clientexec "k8s.io/client-go/util/exec"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/coracle-k8s/coracle/streaming"
)

// command is what runs at the other end.
type command func(in io.Reader, out io.Writer) error

func (c command) ExecInContainer(_ context.Context, _, _, _ string, _ []string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	return c(in, out)
}

func TestExecute(t *testing.T) {
	for name, c := range map[string]struct {
		command command
		dies    bool // the other end, before it says how the command ended
		want    string
		code    int
	}{
		"success":  {command: func(io.Reader, io.Writer) error { return nil }},
		"failure":  {command: func(io.Reader, io.Writer) error { return utilexec.CodeExitError{Err: errors.New("3"), Code: 3} }, code: 3},
		"its echo": {command: func(in io.Reader, out io.Writer) error { _, err := io.Copy(out, in); return err }, want: "input"},
		"silence":  {command: func(io.Reader, io.Writer) error { return nil }, dies: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				run := c.command
				if c.dies { // its streams end, and nothing is said on that of errors
					run = func(io.Reader, io.Writer) error { panic(http.ErrAbortHandler) }
				}
				remotecommand.ServeExec(streaming.Hijacking(w), r, run, "", "", "", nil, &remotecommand.Options{Stdin: true, Stdout: true}, time.Hour, time.Minute, remotecommand.SupportedStreamingProtocols)
			}))
			defer server.Close()
			location, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out bytes.Buffer
			err = streaming.Execute(ctx, location, nil, client.StreamOptions{Stdin: bytes.NewBufferString("input"), Stdout: &out})
			var exit clientexec.CodeExitError
			switch {
			case c.dies && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("a connection that was lost ended with %v", err)
			case c.code > 0 && (!errors.As(err, &exit) || exit.Code != c.code):
				t.Errorf("%v, want exit code %d", err, c.code)
			case c.code == 0 && !c.dies && err != nil:
				t.Error(err)
			}
			if out.String() != c.want {
				t.Errorf("%q, want %q", out.String(), c.want)
			}
		})
	}
}

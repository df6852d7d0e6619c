package apitest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	dirVariable     = "CORACLE_APITEST_DIR"
	addressVariable = "CORACLE_APITEST_ADDRESS"
	logVariable     = "CORACLE_APITEST_LOG" // set it to see the libraries' logs
)

// LibraryLogs is where servers and nodes under test log: nowhere, so that what a failed test says is not lost among it, unless
// CORACLE_APITEST_LOG is set.
func LibraryLogs() logr.Logger {
	if os.Getenv(logVariable) == "" {
		return logr.Discard()
	}
	return textlogger.NewLogger(textlogger.NewConfig())
}

// RouteLogs sends what libraries log to LibraryLogs. It is for TestMain.
func RouteLogs() {
	// With a logger of ours klog does not look at its flags, which containerd sets while others log.
	klog.SetLogger(LibraryLogs())
	ctrl.SetLogger(LibraryLogs())
}

// Main runs the tests, or, in a process that Process started, a server. It is for TestMain.
func Main(m *testing.M) {
	RouteLogs()
	if os.Getenv(dirVariable) == "" {
		code := m.Run()
		if err := stopShared(); err != nil {
			fmt.Fprintln(os.Stderr, "the server that tests share:", err)
			code = max(code, 1)
		}
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	r, err := New(ctx, Options{Dir: os.Getenv(dirVariable), Address: os.Getenv(addressVariable)})
	if err == nil {
		err = r.Server.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Process is a server in a process of its own, which can be killed.
type Process struct {
	Dir, Address string
	command      *exec.Cmd
	log          bytes.Buffer
}

// Start starts the process and returns how long it took to get ready. Call it again after Kill.
func (p *Process) Start(t testing.TB) time.Duration {
	t.Helper()
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(os.Environ(), dirVariable+"="+p.Dir, addressVariable+"="+p.Address)
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	for !p.ready() {
		if time.Since(began) > patience {
			p.Kill()
			t.Fatalf("the server process does not get ready:\n%s", p.log.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// Kill gives the process no chance.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// Admin is the administrator's client configuration.
func (p *Process) Admin() (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", filepath.Join(p.Dir, "admin.conf"))
	if err == nil {
		c.QPS, c.WarningHandler = -1, rest.NoWarnings{}
	}
	return c, err
}

func (p *Process) ready() bool {
	c, err := p.Admin()
	if err != nil {
		return false
	}
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return false
	}
	client.Timeout = time.Second
	answer, err := client.Get(c.Host + "/readyz")
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == 200
}

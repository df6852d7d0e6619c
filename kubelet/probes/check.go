package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	remote "k8s.io/cri-client/pkg"
	utilexec "k8s.io/utils/exec"

	"github.com/coracle-k8s/coracle/apis/version"
)

// maxBody is what is read of an answer.
const maxBody = 10 * 1024

// userAgent names the kubelet to probed servers.
const userAgent = "kube-probe/" + version.MajorMinor

// Executor runs a command in a container. An error with an exit status is the command's own.
type Executor interface {
	ExecSync(ctx context.Context, containerID string, cmd []string, timeout time.Duration) (stdout, stderr []byte, err error)
}

// checker asks in the ways that the API knows.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
type checker struct {
	exec Executor
}

// NewChecker returns a checker that runs commands with the executor.
func NewChecker(exec Executor) Checker { return checker{exec} }

// Check asks once, within ctx.
func (c checker) Check(ctx context.Context, t Target, p *corev1.Probe) (Outcome, string) {
	switch {
	case p.Exec != nil:
		return c.command(ctx, t, p.Exec.Command)
	case p.HTTPGet != nil:
		return httpGet(ctx, t, p.HTTPGet)
	case p.TCPSocket != nil:
		return tcp(ctx, t, p.TCPSocket)
	case p.GRPC != nil:
		return grpcHealth(ctx, t, p.GRPC)
	}
	return Broken, "probe has no handler"
}

func (c checker) command(ctx context.Context, t Target, command []string) (Outcome, string) {
	timeout := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	// The runtime ends the command itself; ours is only the margin.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout+2*time.Second)
	defer cancel()
	stdout, stderr, err := c.exec.ExecSync(ctx, t.ContainerID, command, timeout.Round(time.Second))
	output := string(stdout) + string(stderr)
	output = output[:min(len(output), maxBody)]
	if err == nil {
		return Healthy, output
	}
	var exit utilexec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		if exit.ExitStatus() == 0 {
			return Healthy, output
		}
		return Unhealthy, output
	case errors.Is(err, remote.ErrCommandTimedOut):
		return Unhealthy, err.Error()
	case status.Code(err) == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		return Unhealthy, fmt.Sprintf("command timed out: %q timed out after %s", strings.Join(command, " "), timeout.Round(time.Second))
	}
	return Broken, err.Error()
}

func httpGet(ctx context.Context, t Target, action *corev1.HTTPGetAction) (Outcome, string) {
	request, err := newRequest(ctx, t, action, userAgent)
	if err != nil {
		return Broken, err.Error()
	}
	redirected := false
	client := &http.Client{
		Transport: transport(),
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if next.URL.Hostname() != via[0].URL.Hostname() {
				redirected = true
				return http.ErrUseLastResponse
			}
			if len(via) >= 10 {
				return errors.New("stopped after 10 redirects")
			}
			return nil
		},
	}
	response, err := client.Do(request)
	if err != nil {
		return Unhealthy, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return Unhealthy, err.Error()
	}
	switch {
	case redirected:
		return Warned, fmt.Sprintf("Probe terminated redirects, Response body: %v", string(body))
	case response.StatusCode >= http.StatusOK && response.StatusCode < http.StatusBadRequest:
		return Healthy, string(body)
	}
	return Unhealthy, fmt.Sprintf("HTTP probe failed with statuscode: %d", response.StatusCode)
}

func transport() *http.Transport {
	return &http.Transport{
		// What a container shows is its own affair: only that it answers counts.
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext:        dial,
		ForceAttemptHTTP2:  true,
	}
}

// dial connects directly, whatever proxies this process is told of: it may have some, to pull images through. Closing waits for a
// second at most, as upstream's ProbeDialer has it: sockets of many probes would remain for a minute otherwise.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 1})
		})
		return errors.Join(err, failed)
	}}
	return d.DialContext(ctx, network, address)
}

func newRequest(ctx context.Context, t Target, action *corev1.HTTPGetAction, agent string) (*http.Request, error) {
	port, err := portOf(t.Container, action.Port)
	if err != nil {
		return nil, err
	}
	host := action.Host
	if host == "" {
		host = t.PodIP
	}
	u, err := url.Parse(action.Path)
	if err != nil {
		u = &url.URL{Path: action.Path}
	}
	u.Scheme = strings.ToLower(string(action.Scheme))
	if u.Scheme == "" {
		u.Scheme = "http"
	}
	u.Host = net.JoinHostPort(host, strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for _, h := range action.HTTPHeaders {
		request.Header.Add(h.Name, h.Value)
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			request.Host = h.Value
		}
	}
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", agent)
	}
	if _, ok := request.Header["Accept"]; !ok {
		request.Header.Set("Accept", "*/*")
	} else if request.Header.Get("Accept") == "" {
		request.Header.Del("Accept")
	}
	return request, nil
}

// HTTPHook performs an HTTP lifecycle hook. Whatever the server answers is success.
func HTTPHook(ctx context.Context, pod *corev1.Pod, c *corev1.Container, action *corev1.HTTPGetAction, podIP string) error {
	request, err := newRequest(ctx, Target{Pod: pod, Container: c, PodIP: podIP}, action, "kube-lifecycle/"+version.MajorMinor)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: transport()}
	response, err := client.Do(request)
	if err != nil && request.URL.Scheme == "https" && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		request.URL.Scheme = "http"
		response, err = client.Do(request)
	}
	if err != nil {
		return fmt.Errorf("calling hook: %w", err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	return err
}

func tcp(ctx context.Context, t Target, action *corev1.TCPSocketAction) (Outcome, string) {
	port, err := portOf(t.Container, action.Port)
	if err != nil {
		return Broken, err.Error()
	}
	host := action.Host
	if host == "" {
		host = t.PodIP
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return Unhealthy, err.Error()
	}
	// It answered; how it takes the end does not matter.
	_ = conn.Close()
	return Healthy, ""
}

func grpcHealth(ctx context.Context, t Target, action *corev1.GRPCAction) (Outcome, string) {
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	address := net.JoinHostPort(t.PodIP, strconv.Itoa(int(action.Port)))
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithUserAgent(userAgent),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		return Unhealthy, fmt.Sprintf("failed to connect %q: %v", address, err)
	}
	defer conn.Close()
	response, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	switch status.Code(err) {
	case codes.OK:
	case codes.Unimplemented:
		return Unhealthy, fmt.Sprintf("this server does not implement the grpc health protocol (grpc.health.v1.Health): %v", err)
	case codes.DeadlineExceeded:
		return Unhealthy, fmt.Sprintf("timeout: health rpc did not complete: %v", err)
	default:
		return Unhealthy, fmt.Sprintf("error: health rpc probe failed: %v", err)
	}
	if response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return Unhealthy, "service unhealthy (responded with \"" + response.GetStatus().String() + "\")"
	}
	return Healthy, "service healthy"
}

// portOf resolves a port by the container's own names.
func portOf(c *corev1.Container, port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	if n, err := strconv.Atoi(port.StrVal); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("couldn't find port: %v", port)
}

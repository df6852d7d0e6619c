package nodes

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
)

func TestOnlyAGoodTokenJoins(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{})
	agent, err := c.AddNode()
	if err != nil {
		t.Fatal(err)
	}
	good := c.token()
	id, rest, _ := strings.Cut(good, ".")
	secret, hash, _ := strings.Cut(rest, ".")
	expired := c.token("--ttl", "1s")
	c.soon("the expired token is gone", func() error { return c.tokenGone(expired) })
	deleted := c.token()
	if _, err := c.Server().Output(await.Command(t, c.Program, "token", "delete", "--data-dir", c.Server().DataDir(), deleted[:6])); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"expired":      expired,
		"deleted":      deleted,
		"wrong secret": id + "." + strings.Repeat("x", len(secret)) + "." + hash,
		"wrong hash":   id + "." + secret + "." + strings.Repeat("0", len(hash)),
		"malformed":    "nonsense",
		"none":         "",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c, agent, token, filepath.Join(agent.Dir(), name))
		})
	}
	if _, err := c.client.CoreV1().Nodes().Get(t.Context(), agent.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the node that was refused: %v", err)
	}
	if err := agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.soon("the agent joins with a good token after all", func() error { return c.nodeReady(agent.Name, "True") })
}

// refused runs an agent on a fresh data directory that is to end by itself, and to say in a line what to do.
func refused(t *testing.T, c *cluster, agent *machines.Node, token, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
	defer cancel()
	args := agent.Args()
	args[slices.Index(args, agent.DataDir())] = dir
	if token != "" {
		args = append(args, "--token", token)
	}
	out, err := agent.Output(exec.CommandContext(ctx, c.Program, args...))
	switch {
	case err == nil:
		t.Errorf("the agent ended without an error: %s", out)
	case ctx.Err() != nil:
		t.Errorf("the agent did not end: %s, %v", out, err)
	default:
		lines := strings.Split(err.Error(), "\n")
		last := lines[len(lines)-1]
		t.Log(last)
		if !strings.Contains(last, "coracle: ") || !strings.Contains(last, "token") {
			t.Errorf("it said\n%v", err)
		}
	}
}

// token is a new token.
func (c *cluster) token(flags ...string) string {
	c.t.Helper()
	token, err := c.Token(c.t.Context(), flags...)
	if err != nil {
		c.t.Fatal(err)
	}
	if parts := strings.Split(token, "."); len(parts) != 3 || len(parts[0]) != 6 || len(parts[1]) != 16 || len(parts[2]) != 64 {
		c.t.Fatalf("token create prints %q", token)
	}
	return token
}

// tokenGone says whether a token's Secret has been deleted.
func (c *cluster) tokenGone(token string) error {
	_, err := c.client.CoreV1().Secrets("kube-system").Get(c.t.Context(), "bootstrap-token-"+token[:6], metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		return context.DeadlineExceeded
	}
	return err
}

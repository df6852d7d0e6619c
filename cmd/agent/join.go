package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

// Join makes this machine a member of the cluster, unless it is one: it gets a certificate by the token. A token is only needed, and
// only looked at, where there is no certificate that can be used: it may have expired since. Errors are one line that says what to do.
func Join(ctx context.Context, o Options) error {
	id, err := openIdentity(o)
	if err != nil {
		return err
	}
	why := id.unusable(time.Now())
	text, err := o.readToken(why != "")
	if err != nil {
		return err
	}
	if text == "" {
		if why != "" {
			return fmt.Errorf("%s: give a token, which coracle token create prints on the server (--token-file)", why)
		}
		return nil
	}
	token, err := bootstrap.ParseToken(text)
	if err != nil {
		return fmt.Errorf("the token: %w", err)
	}
	if id.ca != nil && bootstrap.CAHash(id.ca) != token.CAHash {
		return fmt.Errorf("the state in %s belongs to another cluster than the token: delete it (coracle reset --data-dir %s)", o.DataDir, o.DataDir)
	}
	if why == "" {
		return nil
	}
	if err := id.join(ctx, token); err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	klog.FromContext(ctx).Info("Joined the cluster", "server", o.Server, "node", o.Name)
	return nil
}

func (id *identity) join(ctx context.Context, token bootstrap.Token) error {
	o := id.options
	ca, err := discover(ctx, o.address(), token.CAHash)
	if err != nil {
		return err
	}
	way := newConnection(o.Server, ca, func() *tls.Certificate { return nil })
	defer way.close()
	client, err := way.client(token.Bearer())
	if err != nil {
		return err
	}
	cert, key, err := id.request(ctx, client)
	if err != nil {
		return explained(err)
	}
	if err := id.keep(ca, cert, key); err != nil {
		return err
	}
	id.forgetRequest()
	return nil
}

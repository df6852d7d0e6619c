package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coracle-k8s/coracle/apis/core"
)

// CheckReady asks the server, as the node, whether the node is Ready there.
func CheckReady(ctx context.Context, o Options) error {
	id, err := openIdentity(o)
	if err != nil {
		return err
	}
	if why := id.unusable(time.Now()); why != "" {
		return errors.New(why)
	}
	way := newConnection(o.Server, id.ca, id.client.current.Load)
	defer way.close()
	client, err := way.client("")
	if err != nil {
		return err
	}
	found, err := client.CoreV1().Nodes().Get(ctx, o.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("asking for node %s: %w", o.Name, err)
	}
	if !core.NodeReady(found) {
		return fmt.Errorf("node %s is not Ready", o.Name)
	}
	return nil
}

package kubelet

import "context"

func (k *Kubelet) serve(ctx context.Context, p *parts) error {
	<-ctx.Done()
	return nil
}

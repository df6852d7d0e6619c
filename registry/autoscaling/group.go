// Package autoscaling declares the resources of the autoscaling group.
package autoscaling

import "github.com/coracle-k8s/coracle/registry/resource"

// Resources of the group.
func Resources() []resource.Declaration {
	return []resource.Declaration{horizontalPodAutoscalers()}
}

// Package imagelocality prefers nodes that have a pod's images already.
package imagelocality

import (
	"strings"

	"github.com/coracle-k8s/coracle/controllers/scheduler/framework"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

// Images of less than small in sum are not worth a preference; of more than
// large for each container, they are worth the most.
const (
	megabyte = 1024 * 1024
	small    = 23 * megabyte
	large    = 1000 * megabyte
)

// Plugin compares images on nodes with those that a pod names.
type Plugin struct{}

// Name is the plugin's name upstream.
func (Plugin) Name() string { return "ImageLocality" }

// Interests are none: it rejects nothing.
func (Plugin) Interests() []framework.Interest { return nil }

// Prepare scores nodes by the size of the pod's images that they have. An
// image counts by the part of all nodes that have it, so that the first node
// with an image does not get every pod.
func (Plugin) Prepare(pod *snapshot.Pod, nodes *snapshot.Snapshot) (framework.Opinion, *framework.Status) {
	return framework.Opinion{Score: func(feasible []*snapshot.Node) []int64 {
		images := imagesOf(pod)
		spread := make([]float64, len(images))
		for i, image := range images {
			for _, node := range nodes.Nodes {
				if _, has := node.Images[image]; has {
					spread[i]++
				}
			}
		}
		containers := int64(len(pod.Spec.InitContainers) + len(pod.Spec.Containers))
		scores := make([]int64, len(feasible))
		for i, node := range feasible {
			var sum int64
			for j, image := range images {
				sum += int64(float64(node.Images[image]) * spread[j] / float64(len(nodes.Nodes)))
			}
			scores[i] = rate(sum, containers)
		}
		return scores
	}}, nil
}

func rate(bytes, containers int64) int64 {
	most := large * containers
	if most <= small {
		return 0
	}
	return framework.MaxScore * (min(max(bytes, small), most) - small) / (most - small)
}

func imagesOf(pod *snapshot.Pod) []string {
	var images []string
	for i := range pod.Spec.InitContainers {
		images = append(images, tagged(pod.Spec.InitContainers[i].Image))
	}
	for i := range pod.Spec.Containers {
		images = append(images, tagged(pod.Spec.Containers[i].Image))
	}
	for i := range pod.Spec.Volumes {
		if image := pod.Spec.Volumes[i].Image; image != nil {
			images = append(images, tagged(image.Reference))
		}
	}
	return images
}

func tagged(image string) string {
	if strings.LastIndex(image, ":") <= strings.LastIndex(image, "/") {
		return image + ":latest"
	}
	return image
}

package imagelocality

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/controllers/scheduler/internal/opinions"
	"github.com/coracle-k8s/coracle/controllers/scheduler/snapshot"
)

func having(image string, megabytes int64) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{image}, SizeBytes: megabytes * megabyte})
	}
}

func TestImagesThatAreThere(t *testing.T) {
	pod := func(images ...string) *corev1.Pod {
		return opinions.Pod("p", func(p *corev1.Pod) {
			p.Spec.Containers = nil
			for _, image := range images {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Image: image})
			}
		})
	}
	with := snapshot.NewNode(opinions.Object("with", "", having("app:latest", 1000)))
	small := snapshot.NewNode(opinions.Object("small", "", having("tiny:1", 10)))
	none := opinions.Node("none", "")
	for name, test := range map[string]struct {
		images []string
		want   []int64
	}{
		"large":              {[]string{"app:latest"}, []int64{31, 0, 0}},
		"without tag":        {[]string{"app"}, []int64{31, 0, 0}},
		"port, no tag":       {[]string{"registry:5000/app"}, []int64{0, 0, 0}},
		"too small to count": {[]string{"tiny:1"}, []int64{0, 0, 0}},
		"one of two":         {[]string{"app", "other"}, []int64{15, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			opinions.Expect(t, opinions.Score(t, Plugin{}, pod(test.images...), with, small, none), test.want...)
		})
	}
}

func TestAnImageThatAllNodesHaveCountsInFull(t *testing.T) {
	pod := opinions.Pod("p", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "app" })
	node := snapshot.NewNode(opinions.Object("n", "", having("app:latest", 1000)))
	opinions.Expect(t, opinions.Score(t, Plugin{}, pod, node), 100)
}

package pods

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// restartAll takes all containers away, so that the Pod begins anew in the sandbox that it has: with its init containers.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-all-containers
type restartAll struct{ instances []*runtime.Container }

func (restartAll) key() string { return "restart all" }

// restartsAll tells whether all containers are to be started again, because one ended that has a rule which says so, or because that was
// begun; instances are what there still is of them: those last whose end began it, so that it is not forgotten half done.
func restartsAll(f facts) (restarts bool, instances []*runtime.Container) {
	if !core.MayRestartAll(&f.pod.Spec) {
		return false, nil
	}
	restarts = slices.ContainsFunc(f.old.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.AllContainersRestarting && c.Status == corev1.ConditionTrue
	})
	var sources []*runtime.Container
	for _, list := range [][]corev1.Container{f.pod.Spec.Containers, f.pod.Spec.InitContainers} {
		for i := range list {
			newest := f.runtime.Container(list[i].Name)
			restarts = restarts || newest != nil && newest.State == runtime.Exited && core.RestartsAll(&list[i], newest.ExitCode)
			for _, c := range f.runtime.Containers {
				switch {
				case c.Name != list[i].Name:
				case c.State == runtime.Exited && core.RestartsAll(&list[i], c.ExitCode):
					sources = append(sources, c)
				default:
					instances = append(instances, c)
				}
			}
		}
	}
	return restarts, append(instances, sources...)
}

// restartAll stops what runs without a grace period, and removes all. Logs stay.
func (r *run) restartAll(ctx context.Context, a restartAll) error {
	for _, c := range a.instances {
		if c.State == runtime.Running || c.State == runtime.Unknown {
			if err := r.stopOne(ctx, c, r.specOf(c), "Stopping container "+c.Name+", as all containers are restarted", 0, nil); err != nil {
				return err
			}
		}
		if err := r.removeContainer(ctx, r.pod, c); err != nil {
			return err
		}
	}
	return nil
}

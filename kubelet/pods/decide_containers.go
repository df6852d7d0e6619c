package pods

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
)

// decideInit plans the init containers: one after the other, sidecars kept running. initialized says that the main
// containers may start; failed, that they never will.
func (p *plan) decideInit(f facts) (initialized, failed bool) {
	list := f.pod.Spec.InitContainers
	// The frontier is the last init container that got anywhere: those before it are through, although the runtime
	// may have forgotten them.
	frontier := len(list)
	if !anyMainAlive(f) {
		for frontier = len(list) - 1; frontier >= 0 && inSandbox(f, &list[frontier]) == nil; frontier-- {
		}
	}
	for i := range list {
		if i < frontier && core.IsSidecar(&list[i]) {
			p.keepSidecar(f, &list[i])
		}
	}
	if frontier == len(list) {
		return true, false
	}
	through := frontier < 0
	if !through {
		through, failed = p.decideFrontier(f, &list[frontier])
	}
	switch {
	case failed || !through:
		return false, failed
	case frontier == len(list)-1:
		return true, false
	}
	p.start(f, &list[frontier+1], initKind(&list[frontier+1]))
	return false, false
}

// inSandbox returns the newest instance of a container in the Pod's present sandbox: with a new sandbox
// initialization begins anew.
func inSandbox(f facts, c *corev1.Container) *runtime.Container {
	newest := f.runtime.Container(c.Name)
	if newest == nil || newest.SandboxID != f.runtime.Sandbox().ID {
		return nil
	}
	return newest
}

func initKind(c *corev1.Container) kind {
	if core.IsSidecar(c) {
		return sidecarContainer
	}
	return initContainer
}

func anyMainAlive(f facts) bool {
	for i := range f.pod.Spec.Containers {
		c := f.runtime.Container(f.pod.Spec.Containers[i].Name)
		if c != nil && (c.State == runtime.Running || c.State == runtime.Created) {
			return true
		}
	}
	return false
}

// decideFrontier plans the init container that all depends on now; through says that the next one may begin.
func (p *plan) decideFrontier(f facts, c *corev1.Container) (through, failed bool) {
	if core.IsSidecar(c) {
		return p.keepSidecar(f, c), false
	}
	newest := f.runtime.Container(c.Name)
	switch newest.State {
	case runtime.Running:
		return false, false
	case runtime.Exited:
		if newest.ExitCode == 0 {
			return true, false
		}
		if !runtime.RestartsAfter(&f.pod.Spec, c, newest.ExitCode) {
			return false, true
		}
	case runtime.Unknown:
		if !runtime.RestartsWhenKilled(&f.pod.Spec, c) {
			return false, true
		}
		p.stop(newest, c, fmt.Sprintf("Init container is in %q state, try killing it before restart", newest.State), nil)
	}
	p.start(f, c, initContainer)
	return false, false
}

// keepSidecar keeps a sidecar running; started says that it is up.
func (p *plan) keepSidecar(f facts, c *corev1.Container) (started bool) {
	newest := f.runtime.Container(c.Name)
	if !isRunning(newest) {
		if newest != nil && newest.State == runtime.Unknown {
			p.stop(newest, c, fmt.Sprintf("Init container is in %q state, try killing it before restart", newest.State), nil)
		}
		p.start(f, c, sidecarContainer)
		return false
	}
	if c.StartupProbe != nil {
		finding := f.startup(newest.ID)
		if failed(finding) {
			p.restart(f, c, newest, fmt.Sprintf("Init container %s failed startup probe", c.Name), c.StartupProbe)
		}
		if finding == nil || !*finding {
			return false
		}
	}
	switch {
	case newest.Hash != runtime.Hash(c):
		p.restart(f, c, newest, fmt.Sprintf("Init container %s definition changed", c.Name), nil)
	case c.LivenessProbe != nil && failed(f.liveness(newest.ID)):
		p.restart(f, c, newest, fmt.Sprintf("Init container %s failed liveness probe", c.Name), c.LivenessProbe)
	case p.resized(f, c):
		p.restart(f, c, newest, fmt.Sprintf("Init container %s resize requires restart", c.Name), nil)
	}
	return true
}

func (p *plan) restart(f facts, c *corev1.Container, newest *runtime.Container, message string, probe *corev1.Probe) {
	p.stop(newest, c, message, probe)
	p.start(f, c, sidecarContainer)
}

// decideMain plans the main containers; it returns false where none runs and none is to run again.
func (p *plan) decideMain(f facts) (alive bool) {
	for i := range f.pod.Spec.Containers {
		c := &f.pod.Spec.Containers[i]
		newest := f.runtime.Container(c.Name)
		if !isRunning(newest) {
			if runtime.ShouldStart(f.pod, c, newest) {
				alive = true
				if newest != nil && newest.State == runtime.Unknown {
					p.stop(newest, c, fmt.Sprintf("Container is in %q state, try killing it before restart", newest.State), nil)
				}
				p.start(f, c, mainContainer)
			}
			continue
		}
		message, probe, again := unfit(f, c, newest)
		if message == "" && p.resized(f, c) {
			message, again = fmt.Sprintf("Container %s resize requires restart", c.Name), true
		}
		if message == "" {
			alive = true
			continue
		}
		if again {
			message += ", will be restarted"
		}
		p.stop(newest, c, message, probe)
		if again {
			p.start(f, c, mainContainer)
		}
		alive = true // until it has stopped
	}
	return alive
}

// unfit says why a running main container must be stopped, and whether it is to be started again.
func unfit(f facts, c *corev1.Container, newest *runtime.Container) (message string, probe *corev1.Probe, again bool) {
	again = runtime.RestartsWhenKilled(&f.pod.Spec, c)
	switch {
	case newest.Hash != runtime.Hash(c):
		return fmt.Sprintf("Container %s definition changed", c.Name), nil, true
	case c.LivenessProbe != nil && failed(f.liveness(newest.ID)):
		return fmt.Sprintf("Container %s failed liveness probe", c.Name), c.LivenessProbe, again
	case c.StartupProbe != nil && failed(f.startup(newest.ID)):
		return fmt.Sprintf("Container %s failed startup probe", c.Name), c.StartupProbe, again
	}
	return "", nil, false
}

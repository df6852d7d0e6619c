package core

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) containers(at *field.Path) {
	if len(p.spec.Containers) == 0 {
		p.required(at, "")
		return
	}
	names := map[string]bool{}
	for i := range p.spec.Containers {
		c, at := &p.spec.Containers[i], at.Index(i)
		p.container(at, c)
		if names[c.Name] {
			p.duplicate(at.Child("name"), c.Name)
		}
		names[c.Name] = true
		p.lifecycleAndProbes(at, c)
		p.restartRules(at, c)
	}
	p.hostPorts(at, p.spec.Containers)
}

func (p *podProblems) initContainers(at *field.Path) {
	names := map[string]bool{}
	for i := range p.spec.Containers {
		names[p.spec.Containers[i].Name] = true
	}
	for i := range p.spec.InitContainers {
		c, list, at := &p.spec.InitContainers[i], at, at.Index(i)
		p.container(at, c)
		if c.RestartPolicy == nil && len(c.RestartPolicyRules) > 0 {
			p.required(at.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")
		} else if c.RestartPolicy != nil {
			p.restartRules(at, c)
		}
		if names[c.Name] {
			p.duplicate(at.Child("name"), c.Name)
		} else if c.Name != "" {
			names[c.Name] = true
		}
		p.hostPorts(list, p.spec.InitContainers[i:i+1]) // each by itself: they run one after another
		if IsSidecar(c) {
			p.lifecycleAndProbes(at, c)
			continue
		}
		const sidecarsOnly = "may not be set for init containers without restartPolicy=Always"
		for name, set := range map[string]bool{
			"lifecycle": c.Lifecycle != nil, "livenessProbe": c.LivenessProbe != nil,
			"readinessProbe": c.ReadinessProbe != nil, "startupProbe": c.StartupProbe != nil,
		} {
			if set {
				p.forbidden(at.Child(name), sidecarsOnly)
			}
		}
		for j, r := range c.ResizePolicy {
			if r.RestartPolicy == corev1.RestartContainer {
				p.invalid(at.Child("resizePolicy").Index(j).Child("restartPolicy"), r.RestartPolicy, "must not be set to 'RestartContainer' for non-sidecar initContainers")
			}
		}
	}
}

func (p *podProblems) ephemeralContainers(at *field.Path) {
	targets, names := map[string]bool{}, map[string]bool{}
	for _, all := range [][]corev1.Container{p.spec.Containers, p.spec.InitContainers} {
		for i := range all {
			targets[all[i].Name], names[all[i].Name] = true, true
		}
	}
	for i := range p.spec.EphemeralContainers {
		e, at := &p.spec.EphemeralContainers[i], at.Index(i)
		c := (*corev1.Container)(&e.EphemeralContainerCommon)
		p.container(at, c)
		p.trimmedImage(at, c)
		if names[c.Name] {
			p.duplicate(at.Child("name"), c.Name)
		}
		names[c.Name] = true
		if e.TargetContainerName != "" && !targets[e.TargetContainerName] {
			p.list = append(p.list, field.NotFound(at.Child("targetContainerName"), e.TargetContainerName))
		}
		p.ephemeralOnly(at, c)
	}
}

// ephemeralOnly refuses what nobody should rely on in a container that is added to look around.
func (p *podProblems) ephemeralOnly(at *field.Path, c *corev1.Container) {
	const not = "cannot be set for an Ephemeral Container"
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"ports", c.Ports != nil},
		{"resources", c.Resources.Limits != nil || c.Resources.Requests != nil || c.Resources.Claims != nil},
		{"resizePolicy", c.ResizePolicy != nil},
		{"restartPolicy", c.RestartPolicy != nil},
		{"restartPolicyRules", c.RestartPolicyRules != nil},
		{"livenessProbe", c.LivenessProbe != nil},
		{"readinessProbe", c.ReadinessProbe != nil},
		{"startupProbe", c.StartupProbe != nil},
		{"lifecycle", c.Lifecycle != nil},
	} {
		if f.set {
			p.forbidden(at.Child(f.name), not)
		}
	}
	for j, m := range c.VolumeMounts {
		at := at.Child("volumeMounts").Index(j)
		if m.SubPath != "" {
			p.forbidden(at.Child("subPath"), not)
		}
		if m.SubPathExpr != "" {
			p.forbidden(at.Child("subPathExpr"), not)
		}
	}
}

// container checks what all kinds of containers share.
func (p *podProblems) container(at *field.Path, c *corev1.Container) {
	if p.need(at.Child("name"), c.Name) {
		p.label(at.Child("name"), c.Name)
	}
	p.need(at.Child("image"), c.Image)
	requiredOneOf(&p.problems, at.Child("terminationMessagePolicy"), c.TerminationMessagePolicy, corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)
	p.containerPorts(at.Child("ports"), c.Ports)
	p.env(at.Child("env"), c.Env)
	p.envFrom(at.Child("envFrom"), c.EnvFrom)
	p.mounts(at.Child("volumeMounts"), c)
	p.devices(at.Child("volumeDevices"), c)
	p.pullPolicy(at.Child("imagePullPolicy"), c.ImagePullPolicy)
	p.containerResources(at.Child("resources"), &c.Resources)
	p.resizePolicy(at.Child("resizePolicy"), c.ResizePolicy)
	p.securityContext(at.Child("securityContext"), c.SecurityContext)
}

func (p *podProblems) pullPolicy(at *field.Path, policy corev1.PullPolicy) {
	requiredOneOf(&p.problems, at, policy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
}

// trimmedImage holds for pods; templates have always been allowed to say anything.
func (p *podProblems) trimmedImage(at *field.Path, c *corev1.Container) {
	if strings.TrimSpace(c.Image) != c.Image {
		p.invalid(at.Child("image"), c.Image, "must not have leading or trailing whitespace")
	}
}

func (p *podProblems) containerPorts(at *field.Path, ports []corev1.ContainerPort) {
	names := map[string]bool{}
	for i := range ports {
		port, at := &ports[i], at.Index(i)
		if port.Name != "" {
			messages := validation.IsValidPortName(port.Name)
			p.invalid(at.Child("name"), port.Name, messages...)
			if len(messages) == 0 && names[port.Name] {
				p.duplicate(at.Child("name"), port.Name)
			}
			names[port.Name] = true
		}
		if port.ContainerPort == 0 {
			p.required(at.Child("containerPort"), "")
		} else {
			p.portNumber(at.Child("containerPort"), port.ContainerPort)
		}
		if port.HostPort != 0 {
			p.portNumber(at.Child("hostPort"), port.HostPort)
		}
		p.protocol(at.Child("protocol"), port.Protocol)
	}
}

func (p *problems) protocol(at *field.Path, protocol corev1.Protocol) {
	requiredOneOf(p, at, protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
}

// hostPorts refuses the same port of the node twice.
func (p *podProblems) hostPorts(at *field.Path, containers []corev1.Container) {
	taken := map[string]bool{}
	for i := range containers {
		for j, port := range containers[i].Ports {
			if port.HostPort == 0 {
				continue
			}
			key := fmt.Sprintf("%s/%s/%d", port.Protocol, port.HostIP, port.HostPort)
			if taken[key] {
				p.duplicate(at.Index(i).Child("ports").Index(j).Child("hostPort"), key)
			}
			taken[key] = true
		}
	}
}

func (p *podProblems) resizePolicy(at *field.Path, policies []corev1.ContainerResizePolicy) {
	seen := map[corev1.ResourceName]bool{}
	for i, policy := range policies {
		if seen[policy.ResourceName] {
			p.duplicate(at.Index(i), policy.ResourceName)
		}
		seen[policy.ResourceName] = true
		requiredOneOf(&p.problems, at, policy.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)
		requiredOneOf(&p.problems, at, policy.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)
		if p.spec.RestartPolicy == corev1.RestartPolicyNever && policy.RestartPolicy != corev1.NotRequired {
			p.invalid(at, policy.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
		}
	}
}

func (p *podProblems) restartRules(at *field.Path, c *corev1.Container) {
	if c.RestartPolicy == nil {
		if len(c.RestartPolicyRules) == 0 {
			return
		}
		p.required(at.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")
	} else {
		oneOf(&p.problems, at.Child("restartPolicy"), *c.RestartPolicy, corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure)
	}
	at = at.Child("restartPolicyRules")
	if n := len(c.RestartPolicyRules); n > 20 {
		p.list = append(p.list, field.TooMany(at, n, 20))
	}
	for i, rule := range c.RestartPolicyRules {
		at := at.Index(i)
		oneOf(&p.problems, at.Child("action"), rule.Action, corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers)
		if rule.ExitCodes == nil {
			p.required(at.Child("exitCodes"), "must be specified")
			continue
		}
		oneOf(&p.problems, at.Child("exitCodes", "operator"), rule.ExitCodes.Operator, corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn)
		if n := len(rule.ExitCodes.Values); n > 255 {
			p.list = append(p.list, field.TooMany(at.Child("exitCodes", "values"), n, 255))
		}
	}
}

func (p *podProblems) lifecycleAndProbes(at *field.Path, c *corev1.Container) {
	if l := c.Lifecycle; l != nil {
		at := at.Child("lifecycle")
		if l.PostStart != nil {
			p.handler(at.Child("postStart"), handlerOf(l.PostStart))
		}
		if l.PreStop != nil {
			p.handler(at.Child("preStop"), handlerOf(l.PreStop))
		}
		if l.StopSignal != nil {
			p.stopSignal(at.Child("stopSignal"), *l.StopSignal)
		}
	}
	if probe, at := c.LivenessProbe, at.Child("livenessProbe"); probe != nil {
		p.probe(at, probe)
		p.succeedsOnce(at, probe)
	}
	if probe, at := c.ReadinessProbe, at.Child("readinessProbe"); probe != nil {
		p.probe(at, probe)
		if probe.TerminationGracePeriodSeconds != nil {
			p.invalid(at.Child("terminationGracePeriodSeconds"), probe.TerminationGracePeriodSeconds, "must not be set for readinessProbes")
		}
	}
	if probe, at := c.StartupProbe, at.Child("startupProbe"); probe != nil {
		p.probe(at, probe)
		p.succeedsOnce(at, probe)
	}
}

func (p *podProblems) succeedsOnce(at *field.Path, probe *corev1.Probe) {
	if probe.SuccessThreshold != 1 {
		p.invalid(at.Child("successThreshold"), probe.SuccessThreshold, "must be 1")
	}
}

func (p *podProblems) stopSignal(at *field.Path, signal corev1.Signal) {
	switch {
	case p.spec.OS == nil:
		p.forbidden(at, "may not be set for containers with empty `spec.os.name`")
	case p.spec.OS.Name == corev1.Windows:
		oneOf(&p.problems, at, signal, corev1.SIGKILL, corev1.SIGTERM)
	case p.spec.OS.Name == corev1.Linux && !strings.HasPrefix(string(signal), "SIG"):
		p.list = append(p.list, field.NotSupported(at, signal, []corev1.Signal{corev1.SIGTERM}))
	}
}

func (p *podProblems) probe(at *field.Path, probe *corev1.Probe) {
	p.handler(at, handler{exec: probe.Exec, http: probe.HTTPGet, tcp: probe.TCPSocket, grpc: probe.GRPC})
	for _, f := range []struct {
		name  string
		value int32
	}{
		{"initialDelaySeconds", probe.InitialDelaySeconds}, {"timeoutSeconds", probe.TimeoutSeconds}, {"periodSeconds", probe.PeriodSeconds},
		{"successThreshold", probe.SuccessThreshold}, {"failureThreshold", probe.FailureThreshold},
	} {
		p.notNegative(at.Child(f.name), int64(f.value))
	}
	if grace := probe.TerminationGracePeriodSeconds; grace != nil && *grace <= 0 {
		p.invalid(at.Child("terminationGracePeriodSeconds"), *grace, "must be greater than 0")
	}
}

// A handler is what a probe or a lifecycle event does: one of these.
type handler struct {
	exec  *corev1.ExecAction
	http  *corev1.HTTPGetAction
	tcp   *corev1.TCPSocketAction
	grpc  *corev1.GRPCAction
	sleep *corev1.SleepAction
}

func handlerOf(h *corev1.LifecycleHandler) handler {
	return handler{exec: h.Exec, http: h.HTTPGet, tcp: h.TCPSocket, sleep: h.Sleep}
}

func (p *podProblems) handler(at *field.Path, h handler) {
	some := false
	// first reports whether the action of the name is to be checked: it is set, and the first.
	first := func(name string, set bool) bool {
		if set && some {
			p.forbidden(at.Child(name), "may not specify more than 1 handler type")
			return false
		}
		some = some || set
		return set
	}
	if first("exec", h.exec != nil) && len(h.exec.Command) == 0 {
		p.required(at.Child("exec", "command"), "")
	}
	if first("httpGet", h.http != nil) {
		p.httpGet(at.Child("httpGet"), h.http)
	}
	if first("tcpSocket", h.tcp != nil) {
		p.port(at.Child("tcpSocket", "port"), h.tcp.Port)
	}
	if first("grpc", h.grpc != nil) {
		p.port(at.Child("grpc", "port"), intstr.FromInt32(h.grpc.Port))
	}
	if grace := p.spec.TerminationGracePeriodSeconds; first("sleep", h.sleep != nil) && grace != nil && (h.sleep.Seconds < 0 || h.sleep.Seconds > *grace) {
		p.invalid(at.Child("sleep"), h.sleep.Seconds, fmt.Sprintf("must be non-negative and less than terminationGracePeriodSeconds (%d)", *grace))
	}
	if !some {
		p.required(at, "must specify a handler type")
	}
}

func (p *podProblems) httpGet(at *field.Path, get *corev1.HTTPGetAction) {
	p.need(at.Child("path"), get.Path)
	p.port(at.Child("port"), get.Port)
	oneOf(&p.problems, at.Child("scheme"), get.Scheme, corev1.URISchemeHTTP, corev1.URISchemeHTTPS)
	for _, header := range get.HTTPHeaders {
		p.invalid(at.Child("httpHeaders"), header.Name, validation.IsHTTPHeaderName(header.Name)...)
	}
}

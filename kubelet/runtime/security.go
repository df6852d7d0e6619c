package runtime

import (
	"path/filepath"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Paths that the kernel exposes and a container need not see, or not write, unless its procMount says otherwise.
var (
	maskedPaths = []string{
		"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
		"/sys/devices/virtual/powercap", "/proc/interrupts",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// masked are the paths that this machine's containers need not see: of its processors, too, where the kernel shows how they are cooled.
var masked = sync.OnceValue(func() []string { return append(maskedPaths, throttles("/sys")...) })

func throttles(sys string) []string {
	// A pattern without mistakes does not fail.
	found, _ := filepath.Glob(filepath.Join(sys, "devices/system/cpu/cpu[0-9]*/thermal_throttle"))
	return found
}

// EffectiveSecurity merges a container's security context over its Pod's. It never returns nil.
func EffectiveSecurity(pod *corev1.Pod, c *corev1.Container) *corev1.SecurityContext {
	out := &corev1.SecurityContext{}
	if c.SecurityContext != nil {
		out = c.SecurityContext.DeepCopy()
	}
	sc := pod.Spec.SecurityContext
	if sc == nil {
		return out
	}
	if out.RunAsUser == nil {
		out.RunAsUser = sc.RunAsUser
	}
	if out.RunAsGroup == nil {
		out.RunAsGroup = sc.RunAsGroup
	}
	if out.RunAsNonRoot == nil {
		out.RunAsNonRoot = sc.RunAsNonRoot
	}
	if out.SELinuxOptions == nil {
		out.SELinuxOptions = sc.SELinuxOptions
	}
	if out.SeccompProfile == nil {
		out.SeccompProfile = sc.SeccompProfile
	}
	if out.AppArmorProfile == nil {
		out.AppArmorProfile = sc.AppArmorProfile
	}
	return out
}

func containerSecurity(in ContainerInput) *runtimeapi.LinuxContainerSecurityContext {
	pod, sc := in.Pod, EffectiveSecurity(in.Pod, in.Container)
	privileged := sc.Privileged != nil && *sc.Privileged
	out := &runtimeapi.LinuxContainerSecurityContext{
		Privileged:       privileged,
		NamespaceOptions: namespaces(pod, in.UserNS),
		SelinuxOptions:   selinux(sc.SELinuxOptions),
		Seccomp:          seccomp(sc.SeccompProfile, in.SeccompRoot, privileged),
		Apparmor:         appArmor(pod, in.Container, sc.AppArmorProfile),
		NoNewPrivs:       sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation,
		ReadonlyRootfs:   sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem,
	}
	if in.TargetID != "" {
		out.NamespaceOptions.Pid = runtimeapi.NamespaceMode_TARGET
		out.NamespaceOptions.TargetId = in.TargetID
	}
	switch {
	case sc.RunAsUser != nil:
		out.RunAsUser = &runtimeapi.Int64Value{Value: *sc.RunAsUser}
	case in.ImageUsername != "":
		out.RunAsUsername = in.ImageUsername
	case in.ImageUID != nil:
		out.RunAsUser = &runtimeapi.Int64Value{Value: *in.ImageUID}
	}
	if sc.RunAsGroup != nil {
		out.RunAsGroup = &runtimeapi.Int64Value{Value: *sc.RunAsGroup}
	}
	if sc.Capabilities != nil {
		out.Capabilities = &runtimeapi.Capability{
			AddCapabilities: capabilities(sc.Capabilities.Add), DropCapabilities: capabilities(sc.Capabilities.Drop),
		}
	}
	out.SupplementalGroups = append(supplementalGroups(pod), in.SupplementalGroups...)
	if psc := pod.Spec.SecurityContext; psc != nil {
		out.SupplementalGroupsPolicy = groupsPolicy(psc.SupplementalGroupsPolicy)
	}
	if !privileged && (sc.ProcMount == nil || *sc.ProcMount != corev1.UnmaskedProcMount) {
		out.MaskedPaths, out.ReadonlyPaths = masked(), readonlyPaths
	}
	return out
}

func capabilities(in []corev1.Capability) []string {
	out := make([]string, 0, len(in))
	for _, c := range in {
		out = append(out, string(c))
	}
	return out
}

func supplementalGroups(pod *corev1.Pod) []int64 {
	sc := pod.Spec.SecurityContext
	if sc == nil {
		return nil
	}
	var groups []int64
	if sc.FSGroup != nil {
		groups = append(groups, *sc.FSGroup)
	}
	return append(groups, sc.SupplementalGroups...)
}

func groupsPolicy(p *corev1.SupplementalGroupsPolicy) runtimeapi.SupplementalGroupsPolicy {
	if p != nil && *p == corev1.SupplementalGroupsPolicyStrict {
		return runtimeapi.SupplementalGroupsPolicy_Strict
	}
	return runtimeapi.SupplementalGroupsPolicy_Merge
}

func selinux(o *corev1.SELinuxOptions) *runtimeapi.SELinuxOption {
	if o == nil {
		return nil
	}
	return &runtimeapi.SELinuxOption{User: o.User, Role: o.Role, Type: o.Type, Level: o.Level}
}

// seccomp is unconfined where nothing is asked for, as upstream's kubelet without SeccompDefault.
func seccomp(p *corev1.SeccompProfile, root string, privileged bool) *runtimeapi.SecurityProfile {
	out := &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}
	if p == nil || privileged {
		return out
	}
	switch p.Type {
	case corev1.SeccompProfileTypeRuntimeDefault:
		out.ProfileType = runtimeapi.SecurityProfile_RuntimeDefault
	case corev1.SeccompProfileTypeLocalhost:
		out.ProfileType = runtimeapi.SecurityProfile_Localhost
		if p.LocalhostProfile != nil {
			// Cleaned as an absolute path first, so that the profile stays under the root.
			out.LocalhostRef = filepath.Join(root, filepath.Clean("/"+*p.LocalhostProfile))
		}
	}
	return out
}

func appArmor(pod *corev1.Pod, c *corev1.Container, p *corev1.AppArmorProfile) *runtimeapi.SecurityProfile {
	if p == nil {
		return appArmorAnnotation(pod.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name])
	}
	switch p.Type {
	case corev1.AppArmorProfileTypeRuntimeDefault:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault}
	case corev1.AppArmorProfileTypeUnconfined:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}
	case corev1.AppArmorProfileTypeLocalhost:
		out := &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Localhost}
		if p.LocalhostProfile != nil {
			out.LocalhostRef = *p.LocalhostProfile
		}
		return out
	}
	return nil
}

func appArmorAnnotation(value string) *runtimeapi.SecurityProfile {
	switch {
	case value == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault}
	case value == corev1.DeprecatedAppArmorBetaProfileNameUnconfined:
		return &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_Unconfined}
	case strings.HasPrefix(value, corev1.DeprecatedAppArmorBetaProfileNamePrefix):
		return &runtimeapi.SecurityProfile{
			ProfileType:  runtimeapi.SecurityProfile_Localhost,
			LocalhostRef: strings.TrimPrefix(value, corev1.DeprecatedAppArmorBetaProfileNamePrefix),
		}
	}
	return nil
}

package core

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) podSecurity(at *field.Path, sc *corev1.PodSecurityContext) {
	if sc == nil {
		return
	}
	p.ids(at, sc.RunAsUser, sc.RunAsGroup)
	if sc.FSGroup != nil {
		p.invalid(at.Child("fsGroup"), *sc.FSGroup, validation.IsValidGroupID(*sc.FSGroup)...)
	}
	for i, group := range sc.SupplementalGroups {
		p.invalid(at.Child("supplementalGroups").Index(i), group, validation.IsValidGroupID(group)...)
	}
	if isTrue(p.spec.ShareProcessNamespace) && p.spec.HostPID {
		p.invalid(at.Child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled")
	}
	p.sysctls(at.Child("sysctls"), sc.Sysctls)
	if sc.FSGroupChangePolicy != nil {
		oneOf(&p.problems, at.Child("fsGroupChangePolicy"), *sc.FSGroupChangePolicy, corev1.FSGroupChangeAlways, corev1.FSGroupChangeOnRootMismatch)
	}
	p.seccomp(at.Child("seccompProfile"), sc.SeccompProfile)
	p.windowsOptions(at.Child("windowsOptions"), sc.WindowsOptions)
	p.appArmor(at.Child("appArmorProfile"), sc.AppArmorProfile)
	if sc.SupplementalGroupsPolicy != nil {
		oneOf(&p.problems, at.Child("supplementalGroupsPolicy"), *sc.SupplementalGroupsPolicy, corev1.SupplementalGroupsPolicyMerge, corev1.SupplementalGroupsPolicyStrict)
	}
	if sc.SELinuxChangePolicy != nil {
		oneOf(&p.problems, at.Child("seLinuxChangePolicy"), *sc.SELinuxChangePolicy, corev1.SELinuxChangePolicyMountOption, corev1.SELinuxChangePolicyRecursive)
	}
}

func (p *podProblems) securityContext(at *field.Path, sc *corev1.SecurityContext) {
	if sc == nil {
		return
	}
	p.ids(at, sc.RunAsUser, sc.RunAsGroup)
	if mount := sc.ProcMount; mount != nil {
		oneOf(&p.problems, at.Child("procMount"), *mount, corev1.DefaultProcMount, corev1.UnmaskedProcMount)
		if *mount == corev1.UnmaskedProcMount && (p.spec.HostUsers == nil || *p.spec.HostUsers) {
			p.invalid(at.Child("procMount"), mount, "`hostUsers` must be false to use `Unmasked`")
		}
	}
	p.seccomp(at.Child("seccompProfile"), sc.SeccompProfile)
	if sc.AllowPrivilegeEscalation != nil && !*sc.AllowPrivilegeEscalation {
		if isTrue(sc.Privileged) {
			p.invalid(at, sc, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
		}
		if sc.Capabilities != nil {
			for _, c := range sc.Capabilities.Add {
				if c == "CAP_SYS_ADMIN" {
					p.invalid(at, sc, sysAdminUnescalated)
				}
			}
		}
	}
	p.windowsOptions(at.Child("windowsOptions"), sc.WindowsOptions)
	p.appArmor(at.Child("appArmorProfile"), sc.AppArmorProfile)
}

func (p *problems) ids(at *field.Path, user, group *int64) {
	if user != nil {
		p.invalid(at.Child("runAsUser"), *user, validation.IsValidUserID(*user)...)
	}
	if group != nil {
		p.invalid(at.Child("runAsGroup"), *group, validation.IsValidGroupID(*group)...)
	}
}

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

func (p *podProblems) sysctls(at *field.Path, all []corev1.Sysctl) {
	seen := map[string]bool{}
	for i, s := range all {
		at := at.Index(i).Child("name")
		switch {
		case s.Name == "":
			p.required(at, "")
		case len(s.Name) > 253 || !sysctlName.MatchString(s.Name):
			p.invalid(at, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", 253, sysctlName))
		case seen[s.Name]:
			p.duplicate(at, s.Name)
		}
		seen[s.Name] = true
		switch name := strings.ReplaceAll(s.Name, "/", "."); {
		case p.spec.HostNetwork && strings.HasPrefix(name, "net."):
			p.invalid(at, s.Name, "may not be specified when 'hostNetwork' is true")
		case p.spec.HostIPC && isIPCSysctl(name):
			p.invalid(at, s.Name, "may not be specified when 'hostIPC' is true")
		}
	}
}

func isIPCSysctl(name string) bool {
	return name == "kernel.sem" || strings.HasPrefix(name, "kernel.shm") || strings.HasPrefix(name, "kernel.msg") || strings.HasPrefix(name, "fs.mqueue.")
}

func (p *problems) seccomp(at *field.Path, s *corev1.SeccompProfile) {
	if s == nil {
		return
	}
	const localhost = corev1.SeccompProfileTypeLocalhost
	if s.Type == "" {
		p.required(at.Child("type"), "type is required when seccompProfile is set")
	} else {
		oneOf(p, at.Child("type"), s.Type, localhost, corev1.SeccompProfileTypeRuntimeDefault, corev1.SeccompProfileTypeUnconfined)
	}
	switch at, file := at.Child("localhostProfile"), s.LocalhostProfile; {
	case s.Type == localhost && file == nil:
		p.required(at, "must be set when seccomp type is Localhost")
	case s.Type == localhost:
		p.descending(at, *file)
	case file != nil:
		p.invalid(at, s, "can only be set when seccomp type is Localhost")
	}
}

func (p *problems) appArmor(at *field.Path, a *corev1.AppArmorProfile) {
	if a == nil {
		return
	}
	const localhost = corev1.AppArmorProfileTypeLocalhost
	if a.Type == "" {
		p.required(at.Child("type"), "type is required when appArmorProfile is set")
		return
	}
	oneOf(p, at.Child("type"), a.Type, localhost, corev1.AppArmorProfileTypeRuntimeDefault, corev1.AppArmorProfileTypeUnconfined)
	at = at.Child("localhostProfile")
	switch name := a.LocalhostProfile; {
	case a.Type != localhost:
		if name != nil && (a.Type == corev1.AppArmorProfileTypeRuntimeDefault || a.Type == corev1.AppArmorProfileTypeUnconfined) {
			p.invalid(at, name, "can only be set when AppArmor type is Localhost")
		}
	case name == nil:
		p.required(at, "must be set when AppArmor type is Localhost")
	default:
		if strings.TrimSpace(*name) != *name {
			p.invalid(at, *name, "must not be padded with whitespace")
		} else if *name == "" {
			p.required(at, "must be set when AppArmor type is Localhost")
		}
		if len(*name) > 4095 {
			p.list = append(p.list, field.TooLong(at, "", 4095))
		}
	}
}

// profileAnnotations checks the annotations that fields have replaced: with a profile for the pod, or for one container.
func (p *podProblems) profileAnnotations(at *field.Path, annotations map[string]string) {
	for key, profile := range annotations {
		container, forContainer := strings.CutPrefix(key, corev1.SeccompContainerAnnotationKeyPrefix)
		if forContainer || key == corev1.SeccompPodAnnotationKey {
			p.seccompAnnotation(at.Child(key), profile)
		}
		if container, forContainer = strings.CutPrefix(key, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix); !forContainer {
			continue
		}
		found := false
		Containers(p.spec, func(c *corev1.Container) bool {
			found = found || c.Name == container
			return !found
		})
		if !found {
			p.invalid(at.Key(key), container, "container not found")
		}
		if profile != "" && profile != corev1.DeprecatedAppArmorBetaProfileRuntimeDefault && profile != corev1.DeprecatedAppArmorBetaProfileNameUnconfined &&
			!strings.HasPrefix(profile, corev1.DeprecatedAppArmorBetaProfileNamePrefix) {
			p.invalid(at.Key(key), profile, fmt.Sprintf("invalid AppArmor profile name: %q", profile))
		}
	}
}

func (p *problems) seccompAnnotation(at *field.Path, profile string) {
	switch file, local := strings.CutPrefix(profile, corev1.SeccompLocalhostProfileNamePrefix); {
	case profile == corev1.SeccompProfileRuntimeDefault, profile == corev1.DeprecatedSeccompProfileDockerDefault, profile == corev1.SeccompProfileNameUnconfined:
	case local:
		p.descending(at, file)
	default:
		p.invalid(at, profile, "must be a valid seccomp profile")
	}
}

// profilesAgree refuses a pod whose annotations and fields ask for different profiles.
func (p *podProblems) profilesAgree(at *field.Path) {
	annotations := p.meta.Annotations
	if sc := p.spec.SecurityContext; sc != nil && sc.SeccompProfile != nil {
		if a, ok := annotations[corev1.SeccompPodAnnotationKey]; ok {
			p.seccompAgrees(at.Child("securityContext", "seccompProfile"), a, sc.SeccompProfile)
		}
	}
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		at = at.Child("securityContext")
		if sc := c.SecurityContext; sc != nil && sc.SeccompProfile != nil {
			if a, ok := annotations[corev1.SeccompContainerAnnotationKeyPrefix+c.Name]; ok {
				p.seccompAgrees(at.Child("seccompProfile"), a, sc.SeccompProfile)
			}
		}
		profile := p.appArmorOf(c)
		if a, ok := annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]; ok && profile != nil {
			p.appArmorAgrees(at.Child("appArmorProfile"), a, profile)
		}
	})
}

func (p *podProblems) appArmorOf(c *corev1.Container) *corev1.AppArmorProfile {
	switch {
	case p.spec.OS != nil && p.spec.OS.Name == corev1.Windows:
		return nil
	case c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil:
		return c.SecurityContext.AppArmorProfile
	case p.spec.SecurityContext != nil:
		return p.spec.SecurityContext.AppArmorProfile
	}
	return nil
}

func (p *problems) seccompAgrees(at *field.Path, annotation string, s *corev1.SeccompProfile) {
	file, local := strings.CutPrefix(annotation, corev1.SeccompLocalhostProfileNamePrefix)
	var same bool
	switch s.Type {
	case corev1.SeccompProfileTypeUnconfined:
		same = annotation == corev1.SeccompProfileNameUnconfined
	case corev1.SeccompProfileTypeRuntimeDefault:
		same = annotation == corev1.SeccompProfileRuntimeDefault || annotation == corev1.DeprecatedSeccompProfileDockerDefault
	case corev1.SeccompProfileTypeLocalhost:
		if local && (s.LocalhostProfile == nil || *s.LocalhostProfile != file) {
			p.forbidden(at.Child("localhostProfile"), "seccomp profile in annotation and field must match")
			return
		}
		same = local
	default:
		return
	}
	if !same {
		p.forbidden(at.Child("type"), "seccomp type in annotation and field must match")
	}
}

func (p *problems) appArmorAgrees(at *field.Path, annotation string, a *corev1.AppArmorProfile) {
	name, local := strings.CutPrefix(annotation, corev1.DeprecatedAppArmorBetaProfileNamePrefix)
	var same bool
	switch a.Type {
	case corev1.AppArmorProfileTypeUnconfined:
		same = annotation == corev1.DeprecatedAppArmorBetaProfileNameUnconfined
	case corev1.AppArmorProfileTypeRuntimeDefault:
		same = annotation == corev1.DeprecatedAppArmorBetaProfileRuntimeDefault
	case corev1.AppArmorProfileTypeLocalhost:
		if local && (a.LocalhostProfile == nil || *a.LocalhostProfile != name) {
			p.forbidden(at.Child("localhostProfile"), "apparmor profile in annotation and field must match")
			return
		}
		same = local
	default:
		return
	}
	if !same {
		p.forbidden(at.Child("type"), "apparmor type in annotation and field must match")
	}
}

package core

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) os(at *field.Path) {
	os := p.spec.OS
	if os == nil {
		return
	}
	switch os.Name {
	case corev1.Linux:
		p.linuxOnly(at)
	case corev1.Windows:
		p.windowsOnly(at)
	case "":
		p.required(at.Child("os", "name"), "")
	default:
		oneOf(&p.problems, at.Child("os"), os.Name, corev1.Linux, corev1.Windows)
	}
}

func (p *podProblems) linuxOnly(at *field.Path) {
	const not = "windows options cannot be set for a linux pod"
	if sc := p.spec.SecurityContext; sc != nil && sc.WindowsOptions != nil {
		p.forbidden(at.Child("securityContext", "windowsOptions"), not)
	}
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		if sc := c.SecurityContext; sc != nil && sc.WindowsOptions != nil {
			p.forbidden(at.Child("securityContext", "windowsOptions"), not)
		}
	})
}

func (p *podProblems) windowsOnly(at *field.Path) {
	unset := func(at *field.Path, name string, set bool) {
		if set {
			p.forbidden(at.Child(name), "cannot be set for a windows pod")
		}
	}
	unset(at, "hostUsers", p.spec.HostUsers != nil)
	unset(at, "hostPID", p.spec.HostPID)
	unset(at, "hostIPC", p.spec.HostIPC)
	unset(at, "shareProcessNamespace", p.spec.ShareProcessNamespace != nil)
	if sc := p.spec.SecurityContext; sc != nil {
		at := at.Child("securityContext")
		unset(at, "appArmorProfile", sc.AppArmorProfile != nil)
		unset(at, "seLinuxOptions", sc.SELinuxOptions != nil)
		unset(at, "seccompProfile", sc.SeccompProfile != nil)
		unset(at, "fsGroup", sc.FSGroup != nil)
		unset(at, "fsGroupChangePolicy", sc.FSGroupChangePolicy != nil)
		unset(at, "sysctls", len(sc.Sysctls) > 0)
		unset(at, "runAsUser", sc.RunAsUser != nil)
		unset(at, "runAsGroup", sc.RunAsGroup != nil)
		unset(at, "supplementalGroups", sc.SupplementalGroups != nil)
		unset(at, "supplementalGroupsPolicy", sc.SupplementalGroupsPolicy != nil)
		unset(at, "seLinuxChangePolicy", sc.SELinuxChangePolicy != nil)
	}
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		sc := c.SecurityContext
		if sc == nil {
			return
		}
		at = at.Child("securityContext")
		unset(at, "appArmorProfile", sc.AppArmorProfile != nil)
		unset(at, "seLinuxOptions", sc.SELinuxOptions != nil)
		unset(at, "seccompProfile", sc.SeccompProfile != nil)
		unset(at, "capabilities", sc.Capabilities != nil)
		unset(at, "readOnlyRootFilesystem", sc.ReadOnlyRootFilesystem != nil)
		unset(at, "privileged", sc.Privileged != nil)
		unset(at, "allowPrivilegeEscalation", sc.AllowPrivilegeEscalation != nil)
		unset(at, "procMount", sc.ProcMount != nil)
		unset(at, "runAsUser", sc.RunAsUser != nil)
		unset(at, "runAsGroup", sc.RunAsGroup != nil)
	})
}

// hostProcess checks the containers that run as processes of a Windows host: all of a pod's, or none.
func (p *podProblems) hostProcess(at *field.Path) {
	of := func(w *corev1.WindowsSecurityContextOptions) *bool {
		if w == nil {
			return nil
		}
		return w.HostProcess
	}
	var pod *bool
	if sc := p.spec.SecurityContext; sc != nil {
		pod = of(sc.WindowsOptions)
	}
	all, onHost := 0, 0
	p.eachContainer(at, func(at *field.Path, c *corev1.Container) {
		all++
		var own *bool
		if sc := c.SecurityContext; sc != nil {
			own = of(sc.WindowsOptions)
		}
		if pod != nil && own != nil && *pod != *own {
			p.invalid(at.Child("securityContext", "windowsOptions", "hostProcess"), *own, fmt.Sprintf("pod hostProcess value must be identical if both are specified, was %v", *pod))
		}
		if isTrue(own) || own == nil && isTrue(pod) {
			onHost++
		}
	})
	if onHost > 0 && onHost != all {
		p.invalid(at, "", "If pod contains any hostProcess containers then all containers must be HostProcess containers")
	}
	if onHost > 0 && !p.spec.HostNetwork {
		p.invalid(at.Child("hostNetwork"), false, "hostNetwork must be true if pod contains any hostProcess containers")
	}
}

var (
	controlCharacters = regexp.MustCompile(`[[:cntrl:]]+`)
	netBIOSName       = regexp.MustCompile(`^[^\\/:\*\?"<>|\.][^\\/:\*\?"<>|]{0,14}$`)
	windowsDNSName    = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
	notInUserName     = regexp.MustCompile(`["/\\:;|=,\+\*\?<>@\[\]]`)
	dotsAndSpaces     = regexp.MustCompile(`^[\. ]+$`)
)

const maxCredentialSpec = 64 * 1024

func (p *problems) windowsOptions(at *field.Path, w *corev1.WindowsSecurityContextOptions) {
	if w == nil {
		return
	}
	if name := w.GMSACredentialSpecName; name != nil {
		p.subdomain(at.Child("gmsaCredentialSpecName"), *name)
	}
	if spec, at := w.GMSACredentialSpec, at.Child("gmsaCredentialSpec"); spec != nil {
		switch {
		case *spec == "":
			p.invalid(at, spec, "gmsaCredentialSpec cannot be an empty string")
		case len(*spec) > maxCredentialSpec:
			p.invalid(at, spec, "gmsaCredentialSpec size must be under 64 KiB")
		}
	}
	if w.RunAsUserName != nil {
		p.windowsUser(at.Child("runAsUserName"), *w.RunAsUserName)
	}
}

// windowsUser checks a name of the form DOMAIN\USER, or USER.
func (p *problems) windowsUser(at *field.Path, name string) {
	switch {
	case name == "":
		p.invalid(at, name, "runAsUserName cannot be an empty string")
		return
	case controlCharacters.MatchString(name):
		p.invalid(at, name, "runAsUserName cannot contain control characters")
		return
	case strings.Count(name, `\`) > 1:
		p.invalid(at, name, "runAsUserName cannot contain more than one backslash")
		return
	}
	domain, user, ok := strings.Cut(name, `\`)
	if !ok {
		user = name
	} else {
		if len(domain) >= 256 {
			p.invalid(at, name, "runAsUserName's Domain length must be under 256 characters")
		}
		if !netBIOSName.MatchString(domain) && !windowsDNSName.MatchString(domain) {
			p.invalid(at, name, "runAsUserName's Domain doesn't match the NetBios nor the DNS format")
		}
	}
	switch {
	case user == "":
		p.invalid(at, name, "runAsUserName's User cannot be empty")
	case len(user) > 104:
		p.invalid(at, name, "runAsUserName's User length must not be longer than 104 characters")
	}
	if dotsAndSpaces.MatchString(user) {
		p.invalid(at, name, "runAsUserName's User cannot contain only periods or spaces")
	}
	if notInUserName.MatchString(user) {
		p.invalid(at, name, `runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]`)
	}
}

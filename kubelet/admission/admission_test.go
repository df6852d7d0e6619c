package admission

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func podOf(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.UID = name, types.UID(name)
	p.Spec.Containers = []corev1.Container{{Name: "main"}}
	for _, f := range change {
		f(p)
	}
	return p
}

func asks(cpu, memory string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
	}
}

func guaranteed(p *corev1.Pod) {
	p.Spec.Containers[0].Resources.Limits = p.Spec.Containers[0].Resources.Requests
}

func critical(p *corev1.Pod) { p.Spec.Priority = ptr.To[int32](SystemCritical) }

func hostPort(port int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: port, Protocol: corev1.ProtocolTCP}}
	}
}

func sets(names ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{}
		for _, name := range names {
			p.Spec.SecurityContext.Sysctls = append(p.Spec.SecurityContext.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
	}
}

func apparmor(kind corev1.AppArmorProfileType) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{AppArmorProfile: &corev1.AppArmorProfile{Type: kind}}
	}
}

func TestAdmit(t *testing.T) {
	node := &corev1.Node{}
	node.Labels = map[string]string{"zone": "a"}
	node.Spec.Taints = []corev1.Taint{{Key: "soft", Effect: corev1.TaintEffectNoSchedule}}
	node.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi"), "pods": resource.MustParse("3")}
	tainted := node.DeepCopy()
	tainted.Spec.Taints = []corev1.Taint{{Key: "hard", Effect: corev1.TaintEffectNoExecute}}
	groups := node.DeepCopy()
	groups.Status.Features = &corev1.NodeFeatures{SupplementalGroupsPolicy: ptr.To(true)}
	strict := func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{SupplementalGroupsPolicy: ptr.To(corev1.SupplementalGroupsPolicyStrict)}
	}
	elsewhere := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"zone": "b"} }
	tolerant := func(key string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Key: key, Operator: corev1.TolerationOpExists}}
		}
	}
	disk, memory, pids := corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodePIDPressure
	for _, tt := range []struct {
		name     string
		pod      *corev1.Pod
		node     *corev1.Node
		others   []*corev1.Pod
		pressure []corev1.NodeConditionType
		reason   string
		message  string
	}{
		{"nothing is wrong", podOf("p", asks("1", "1Gi"), hostPort(80)), node, []*corev1.Pod{podOf("o", hostPort(81))}, nil, "", ""},
		{"itself is not another", podOf("p", asks("2", "1Gi"), hostPort(80)), node, []*corev1.Pod{podOf("p", asks("2", "1Gi"), hostPort(80))}, nil, "", ""},
		{"too little CPU", podOf("p", asks("1", "1Mi")), node, []*corev1.Pod{podOf("o", asks("1500m", "1Mi"))}, nil, "OutOfcpu",
			"Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"},
		{"too many pods", podOf("p"), node, []*corev1.Pod{podOf("1"), podOf("2"), podOf("3")}, nil, "OutOfpods", "requested: 1, used: 3, capacity: 3"},
		{"what the node does not know is not its own", podOf("p", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"example.com/unknown": resource.MustParse("1")}
		}), node, nil, nil, "", ""},
		{"another zone", podOf("p", elsewhere), node, nil, nil, "NodeAffinity", ""},
		{"too little, in another zone", podOf("p", asks("3", "1Mi"), elsewhere), node, nil, nil, "OutOfcpu", ""},
		{"too little for a critical pod in another zone", podOf("p", asks("3", "1Mi"), elsewhere, critical), node, nil, nil, "NodeAffinity", ""},
		{"a port that is taken", podOf("p", hostPort(80)), node, []*corev1.Pod{podOf("o", hostPort(80))}, nil, "NodePorts", ""},
		{"a taint that ends pods", podOf("p"), tainted, nil, nil, "TaintToleration", "node(s) had taints that the pod didn't tolerate"},
		{"a taint that is tolerated", podOf("p", tolerant("hard")), tainted, nil, nil, "", ""},
		{"a safe sysctl", podOf("p", sets("net.ipv4.ip_unprivileged_port_start", "net/ipv4/tcp_rmem")), node, nil, nil, "", ""},
		{"an unsafe sysctl", podOf("p", sets("kernel.msgmax")), node, nil, nil, "SysctlForbidden", `forbidden sysctl: "kernel.msgmax" not allowlisted`},
		{"one that is allowed", podOf("p", sets("net.core.somaxconn", "kernel.shmmax")), node, nil, nil, "", ""},
		{"a safe one of the host's network", podOf("p", sets("net.ipv4.tcp_syncookies"), func(p *corev1.Pod) { p.Spec.HostNetwork = true }), node, nil, nil,
			"SysctlForbidden", "not allowed with host Net enabled"},
		{"an allowed one of the host's IPC", podOf("p", sets("kernel.shmmax"), func(p *corev1.Pod) { p.Spec.HostIPC = true }), node, nil, nil,
			"SysctlForbidden", "not allowed with host IPC enabled"},
		{"another system", podOf("p", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }), node, nil, nil, "PodOSNotSupported", ""},
		{"this system", podOf("p", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Linux} }), node, nil, nil, "", ""},
		{"another system's label", podOf("p", func(p *corev1.Pod) { p.Labels = map[string]string{corev1.LabelOSStable: "windows"} }), node, nil, nil, "PodOSSelectorNodeLabelDoesNotMatch", ""},
		{"strict groups where they are not", podOf("p", strict), node, nil, nil, "SupplementalGroupsPolicyNotSupported", ""},
		{"strict groups where they are", podOf("p", strict), groups, nil, nil, "", ""},
		{"claimed devices", podOf("p", func(p *corev1.Pod) { p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu"}} }), node, nil, nil, "ResourceClaimsNotSupported", ""},
		{"extended resources by claims", podOf("p", func(p *corev1.Pod) {
			p.Status.ExtendedResourceClaimStatus = &corev1.PodExtendedResourceClaimStatus{ResourceClaimName: "c"}
		}), node, nil, nil, "ResourceClaimsNotSupported", ""},
		{"a profile that cannot be enforced", podOf("p", apparmor(corev1.AppArmorProfileTypeRuntimeDefault)), node, nil, nil, "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host"},
		{"none that need be", podOf("p", apparmor(corev1.AppArmorProfileTypeUnconfined)), node, nil, nil, "", ""},
		{"short of memory, best effort", podOf("p"), node, nil, []corev1.NodeConditionType{memory}, "Evicted", "The node had condition: [MemoryPressure]. "},
		{"short of memory, best effort that tolerates it", podOf("p", tolerant(corev1.TaintNodeMemoryPressure)), node, nil, []corev1.NodeConditionType{memory}, "", ""},
		{"short of memory, burstable", podOf("p", asks("1m", "1Mi")), node, nil, []corev1.NodeConditionType{memory}, "", ""},
		{"short of disk, burstable", podOf("p", asks("1m", "1Mi")), node, nil, []corev1.NodeConditionType{disk}, "Evicted", "[DiskPressure]"},
		{"short of several", podOf("p", tolerant(corev1.TaintNodeMemoryPressure)), node, nil, []corev1.NodeConditionType{memory, pids}, "Evicted", "[MemoryPressure PIDPressure]"},
		{"short of disk, critical", podOf("p", critical), node, nil, []corev1.NodeConditionType{disk}, "", ""},
	} {
		allowed, err := ParseSysctls([]string{"net.core.somaxconn", "kernel.shm*"})
		if err != nil {
			t.Fatal(err)
		}
		n := &Node{Sysctls: allowed, Pressure: func(kind corev1.NodeConditionType) bool { return slices.Contains(tt.pressure, kind) }}
		got := n.Admit(Request{Pod: tt.pod, Node: tt.node, Others: tt.others})
		if got == nil {
			got = &Refusal{}
		}
		if got.Reason != tt.reason || !strings.Contains(got.Message, tt.message) {
			t.Errorf("%s: %s: %s; want %s: %s", tt.name, got.Reason, got.Message, tt.reason, tt.message)
		}
	}
}

func TestOnlySysctlsOfNamespacesCanBeAllowed(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"net.*": true, "kernel.msgmax": true, "kernel/shm*": true, "fs.mqueue.msg_max": true, "vm.swappiness": false, "kernel.*": false, "": false, "Net.x": false, "net.*.x": false,
	} {
		if _, err := ParseSysctls([]string{pattern}); (err == nil) != ok {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestVictims(t *testing.T) {
	others := []*corev1.Pod{
		podOf("guaranteed", asks("1", "100Mi"), guaranteed), podOf("small", asks("100m", "10Mi")), podOf("large", asks("500m", "10Mi")),
		podOf("best"), podOf("critical", asks("1", "10Mi"), critical),
	}
	pod := podOf("p", critical)
	for _, tt := range []struct {
		name  string
		lacks map[corev1.ResourceName]int64
		want  string
	}{
		{"a place", map[corev1.ResourceName]int64{"pods": 1}, "best"},
		{"little CPU", map[corev1.ResourceName]int64{"cpu": 50}, "small"},
		{"more CPU", map[corev1.ResourceName]int64{"cpu": 400}, "large"},
		{"all that burstable pods have", map[corev1.ResourceName]int64{"cpu": 600}, "large small"},
		{"what only a guaranteed pod has", map[corev1.ResourceName]int64{"memory": 50 << 20}, "guaranteed"},
		{"what nobody has", map[corev1.ResourceName]int64{"cpu": 5000}, ""},
	} {
		var names []string
		for _, v := range Victims(pod, tt.lacks, others) {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: %q go, want %q", tt.name, got, tt.want)
		}
	}
	if v := Victims(podOf("q"), map[corev1.ResourceName]int64{"pods": 1}, others); v != nil {
		t.Errorf("%d pods go for one that is not critical", len(v))
	}
}

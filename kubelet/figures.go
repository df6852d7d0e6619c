package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/kubelet/metrics"
	"github.com/coracle-k8s/coracle/kubelet/pods"
	"github.com/coracle-k8s/coracle/kubelet/resources"
	"github.com/coracle-k8s/coracle/kubelet/runtime"
	"github.com/coracle-k8s/coracle/kubelet/server"
)

// figures are what the kubelet's metrics say of this moment.
func (k *Kubelet) figures(ctx context.Context, p *parts, held *storage) metrics.Figures {
	now := time.Now()
	f := count(p.pods.Seen())
	f.CgroupVersion = 1
	if cgroups.IsCgroup2UnifiedMode() {
		f.CgroupVersion = 2
	}
	active := p.pods.Active()
	f.Volumes, f.Logs = held.claims(ctx, active), held.logs(ctx, active)
	f.PodCertificates = map[metrics.PodCertificate]int{}
	for kind, n := range p.volumes.Certificates(now) {
		f.PodCertificates[metrics.PodCertificate(kind)] = n
	}
	if guaranteed, burstable, known := p.groups.Protected(); known {
		f.ProtectedMemory, f.PreferredMemory = &guaranteed, &burstable
	}
	f.ServerTTL, f.ClientTTL = math.Inf(1), math.Inf(1)
	if end := expiry(k.Certificate); !end.IsZero() {
		f.ServerTTL = end.Sub(now).Seconds()
	}
	if k.ClientExpires != nil {
		f.ClientTTL = k.ClientExpires().Sub(now).Seconds()
	}
	return f
}

// count is what there is of Pods and containers.
func count(all []pods.Seen) metrics.Figures {
	f := metrics.Figures{Containers: map[string]int{}, PendingResizes: map[metrics.Resize]int{}}
	for _, one := range all {
		if one.Runtime.HasReadySandbox() {
			f.RunningPods++
		}
		for _, c := range one.Runtime.Containers {
			f.Containers[string(c.State)]++
		}
		if one.Removed {
			continue
		}
		f.Desired++
		if !core.PodTerminal(one.Pod) {
			f.Active++
		}
		f.Ephemeral += len(one.Pod.Spec.EphemeralContainers)
		for i := range one.Pod.Status.Conditions {
			switch c := &one.Pod.Status.Conditions[i]; {
			case c.Status != corev1.ConditionTrue:
			case c.Type == corev1.PodResizePending:
				f.PendingResizes[metrics.Resize{Reason: strings.ToLower(c.Reason), Priority: metrics.PriorityBucket(one.Pod.Spec.Priority)}]++
			case c.Type == corev1.PodResizeInProgress:
				f.RunningResizes++
			}
		}
	}
	return f
}

// expiry is when the kubelet's certificate as a server ends, zero where there is none.
func expiry(of func(*tls.ClientHelloInfo) (*tls.Certificate, error)) time.Time {
	if of == nil {
		return time.Time{}
	}
	have, err := of(&tls.ClientHelloInfo{})
	if err != nil || have == nil || len(have.Certificate) == 0 {
		return time.Time{}
	}
	leaf := have.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(have.Certificate[0]); err != nil {
			return time.Time{}
		}
	}
	return leaf.NotAfter
}

// claims are what the volumes of claims have, each once. Of those that lie elsewhere nothing is known.
func (s *storage) claims(ctx context.Context, pods []*corev1.Pod) (list []metrics.Volume) {
	told := map[statsapi.PVCReference]bool{}
	for _, pod := range pods {
		for i := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[i]
			claim := server.ClaimOf(pod, v)
			if claim == nil || told[*claim] {
				continue
			}
			dir := s.volumes.Local(pod.UID, v.Name)
			if dir == "" {
				continue
			}
			space, err := s.spaces.Of(ctx, dir)
			if err != nil {
				continue
			}
			told[*claim] = true
			list = append(list, metrics.Volume{
				Namespace: claim.Namespace, Claim: claim.Name, Bytes: space.Bytes, Available: space.Available, Used: space.Used,
				Inodes: space.Inodes, InodesFree: space.InodesFree, InodesUsed: space.InodesUsed,
			})
		}
	}
	return list
}

// logs are what the logs of Pods' containers hold.
func (s *storage) logs(ctx context.Context, pods []*corev1.Pod) (list []metrics.Log) {
	for _, pod := range pods {
		for container, used := range logUsage(ctx, runtime.PodLogDir(s.podLogsDir, pod)) {
			list = append(list, metrics.Log{UID: string(pod.UID), Namespace: pod.Namespace, Pod: pod.Name, Container: container, Bytes: used.Bytes})
		}
	}
	return list
}

// timedGroups counts what is done to control groups.
type timedGroups struct {
	*resources.Cgroups
	metrics *metrics.Metrics
}

// Create makes a Pod's control group, or brings it up to date.
func (g timedGroups) Create(pod *corev1.Pod) (string, error) {
	operation := "update"
	if g.Path(pod.UID) == "" {
		operation = "create"
	}
	defer g.metrics.Group(operation, time.Now())
	return g.Cgroups.Create(pod)
}

// Remove takes a Pod's control group away.
func (g timedGroups) Remove(uid types.UID) error {
	if g.Path(uid) == "" {
		return g.Cgroups.Remove(uid)
	}
	defer g.metrics.Group("destroy", time.Now())
	return g.Cgroups.Remove(uid)
}

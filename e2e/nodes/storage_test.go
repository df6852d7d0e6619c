package nodes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

// TestVolumesOfAnAgentAreMadeAndDeletedThere: also those that were released while it was away.
func TestVolumesOfAnAgentAreMadeAndDeletedThere(t *testing.T) {
	long(t)
	c := newCluster(t, machines.Config{Agents: 1})
	manifest := filepath.Join(c.Dir, "volumes.yaml")
	write(t, manifest, `
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: there}, provisioner: coracle.io/local, volumeBindingMode: Immediate,
 allowedTopologies: [{matchLabelExpressions: [{key: kubernetes.io/hostname, values: [agent1]}]}]}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: now}, spec: {storageClassName: there, accessModes: [ReadWriteOncePod], resources: {requests: {storage: 1Mi}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: placed}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: agent1, terminationGracePeriodSeconds: 0,
 volumes: [{name: now, persistentVolumeClaim: {claimName: now}}, {name: placed, persistentVolumeClaim: {claimName: placed}}],
 containers: [{name: web, image: "web:v1", imagePullPolicy: Never, volumeMounts: [{name: now, mountPath: /now}, {name: placed, mountPath: /placed}]}]}}`, 0o644)
	c.kubectl("apply", "-f", manifest)
	c.kubectl("wait", "--for=condition=Ready", "pod/p", "--timeout=90s")
	volumes := strings.Fields(c.kubectl("get", "pv", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(volumes) != 2 {
		t.Fatalf("there are volumes %v", volumes)
	}
	c.kubectl("delete", "pod/p", "--timeout=60s")
	if err := c.Agent(1).Kill(); err != nil {
		t.Fatal(err)
	}
	c.kubectl("delete", "pvc/now", "pvc/placed", "--timeout=60s")
	for _, v := range volumes {
		c.kubectl("wait", "--for=jsonpath={.status.phase}=Released", "pv/"+v, "--timeout=60s")
	}
	c.again(c.Agent(1))
	for _, v := range volumes {
		c.kubectl("wait", "--for=delete", "pv/"+v, "--timeout=120s")
	}
}

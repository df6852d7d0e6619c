// Package cadvisor tells what the node's control groups use under cAdvisor's names and labels: those of its metrics that dashboards, rules
// and alerts are made of. Upstream's kubelet has cAdvisor in it, which reads every control group at all times; this reads them when it is
// asked, so that samples need no times of their own and none is older than its scrape.
package cadvisor

import (
	"context"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/disk"
	"github.com/coracle-k8s/coracle/kubelet/meter"
)

// Pod is a Pod that has a control group.
type Pod struct {
	Namespace, Name string
	UID             types.UID
	// Group is the path of its control group; those of its sandbox and its containers are below, by their IDs.
	Group string
	// Sandbox is the ID of the one that is ready, "" where there is none.
	Sandbox     string
	HostNetwork bool
	Containers  []Container
}

// Container is one that runs.
type Container struct {
	ID, Name, Image string
	Started         time.Time
}

// Machine is what does not change.
type Machine struct {
	Cores, Memory, Swap                      int64
	MachineID, SystemUUID, BootID            string
	KernelVersion, OSVersion, RuntimeVersion string
}

// Config is what is told of, and how it is found out when somebody asks.
type Config struct {
	Meter   *meter.Meter
	Machine func() (Machine, error)
	// Groups are the control groups above those of Pods.
	Groups []string
	Pods   func() []Pod
	// Written is what containers hold on disk, by ID, as far as it is known, and the file system that it is on.
	Written func(ctx context.Context) (map[string]disk.Usage, disk.Space)
	// Dir is on the node's file system.
	Dir string
}

// Handler answers in Prometheus' text format.
func Handler(c Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := c.render(r.Context())
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			_, _ = w.Write(text) // a client that went away
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that there is
		_, _ = packed.Write(text)                           // a client that went away
		_ = packed.Close()
	})
}

func (c Config) render(ctx context.Context) []byte {
	var out text
	machine, err := c.Machine()
	out.machine(machine)
	out.scrape(err)
	out.containers(c.look(ctx), time.Now())
	return out
}

// look reads all control groups.
func (c Config) look(ctx context.Context) []*subject {
	root := &subject{labels: labels(subjectName{id: "/"}), reading: c.Meter.Machine(), networks: c.Meter.MachineNetwork()}
	if space, err := disk.SpaceOf(c.Dir); err == nil {
		root.space, root.used, root.device = space, disk.Usage{Bytes: space.Used}, meter.DeviceOf(c.Dir)
	}
	all := []*subject{root}
	for _, group := range c.Groups {
		all = append(all, &subject{labels: labels(subjectName{id: group}), reading: c.Meter.Read(group)})
	}
	written, space := c.Written(ctx)
	for _, p := range c.Pods() {
		of := subjectName{namespace: p.Namespace, pod: p.Name, id: p.Group}
		all = append(all, &subject{labels: labels(of), reading: c.Meter.Read(p.Group)})
		if p.Sandbox != "" {
			all = append(all, c.sandbox(p, of))
		}
		for _, one := range p.Containers {
			of.container, of.image, of.name, of.id = one.Name, one.Image, one.ID, path.Join(p.Group, one.ID)
			s := &subject{labels: labels(of), reading: c.Meter.Read(of.id), started: one.Started}
			if used, known := written[one.ID]; known {
				s.used, s.space = used, space
			}
			all = append(all, s)
		}
	}
	return all
}

// sandboxImage is what a sandbox's image is called: who selects containers by having an image wants the network's figures, too.
const sandboxImage = "pause"

// sandbox has its Pod's network. That of the node is the root's, whoever uses it. What its one process uses is next to nothing, and part of
// what its Pod does.
func (c Config) sandbox(p Pod, of subjectName) *subject {
	of.image, of.name, of.id = sandboxImage, p.Sandbox, path.Join(p.Group, p.Sandbox)
	s := &subject{labels: labels(of), reading: c.Meter.Nothing(of.id)}
	if !p.HostNetwork {
		s.networks = meter.Network(c.Meter.PID(of.id))
	}
	return s
}

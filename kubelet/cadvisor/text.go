package cadvisor

import (
	"strconv"
	"strings"
	"time"
)

// text is what is told, in Prometheus' text format: all samples of a name stand together.
type text []byte

// version is whose names and labels these are.
const version = "v0.56.2"

func pair(name, value string) string { return name + "=" + quote(value) }

// escapes are those of label values.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func quote(value string) string { return `"` + escapes.Replace(value) + `"` }

// subjectName is what tells a subject from others.
type subjectName struct{ namespace, pod, container, image, name, id string }

func labels(n subjectName) string {
	return strings.Join([]string{
		pair("container", n.container), pair("id", n.id), pair("image", n.image), pair("name", n.name), pair("namespace", n.namespace), pair("pod", n.pod),
	}, ",")
}

func (t *text) head(name, kind, help string) {
	*t = append(*t, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

func (t *text) sample(name, labels, more string, value float64) {
	out := append(*t, name...)
	if labels != "" {
		out = append(out, '{')
		out = append(out, labels...)
		if more != "" {
			out = append(out, ',')
			out = append(out, more...)
		}
		out = append(out, '}')
	}
	out = append(out, ' ')
	out = strconv.AppendFloat(out, value, 'g', -1, 64)
	*t = append(out, '\n')
}

func (t *text) one(name, kind, help, labels string, value float64) {
	t.head(name, kind, help)
	t.sample(name, labels, "", value)
}

func (t *text) machine(m Machine) {
	t.one("cadvisor_version_info", gauge,
		"A metric with a constant '1' value labeled by kernel version, OS version, docker version, cadvisor version & cadvisor revision.",
		strings.Join([]string{pair("cadvisorRevision", ""), pair("cadvisorVersion", version), pair("dockerVersion", ""), pair("kernelVersion", m.KernelVersion), pair("osVersion", m.OSVersion)}, ","), 1)
	of := strings.Join([]string{pair("boot_id", m.BootID), pair("machine_id", m.MachineID), pair("system_uuid", m.SystemUUID)}, ",")
	t.one("machine_cpu_cores", gauge, "Number of logical CPU cores.", of, float64(m.Cores))
	t.one("machine_memory_bytes", gauge, "Amount of memory installed on the machine.", of, float64(m.Memory))
	t.one("machine_swap_bytes", gauge, "Amount of swap memory available on the machine.", of, float64(m.Swap))
}

// scrape says whether something of the machine could not be read.
func (t *text) scrape(err error) {
	failed := 0.0
	if err != nil {
		failed = 1
	}
	t.one("container_scrape_error", gauge, "1 if there was an error while getting container metrics, 0 otherwise", "", failed)
	t.one("machine_scrape_error", gauge, "1 if there was an error while getting machine metrics, 0 otherwise.", "", failed)
}

func (t *text) containers(all []*subject, now time.Time) {
	for _, m := range metrics {
		begun := false
		for _, s := range all {
			m.samples(s, func(more string, value float64) {
				if !begun {
					t.head(m.name, m.kind, m.help)
					begun = true
				}
				t.sample(m.name, s.labels, more, value)
			})
		}
	}
	t.head("container_last_seen", gauge, "Last time a container was seen by the exporter")
	for _, s := range all {
		t.sample("container_last_seen", s.labels, "", float64(now.Unix()))
	}
	t.head("container_start_time_seconds", gauge, "Start time of the container since unix epoch in seconds.")
	for _, s := range all {
		if begin := s.begin(); !begin.IsZero() {
			t.sample("container_start_time_seconds", s.labels, "", float64(begin.Unix()))
		}
	}
}

// begin is when the subject began, zero where that is not known.
func (s *subject) begin() time.Time {
	if !s.started.IsZero() {
		return s.started
	}
	return s.reading.Created
}

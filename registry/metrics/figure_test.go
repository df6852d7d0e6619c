package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var began = time.UnixMilli(1_800_000_000_000)

// moment is so many seconds after began.
func moment(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

func TestWhatIsUsedBetweenTwoSamples(t *testing.T) {
	day, start := moment(-86400), time.Time{}
	for name, c := range map[string]struct {
		before, now sample
		same        *Use
		want        *Use
	}{
		"half a core": {
			before: sample{moment(0), day, 100, 1}, now: sample{moment(15), day, 107.5, 2},
			want: &Use{500_000_000, 2, moment(15), 15 * time.Second},
		},
		"the window is as long as it was": {
			before: sample{moment(0), day, 100, 1}, now: sample{moment(1.25), day, 101.25, 2},
			want: &Use{1_000_000_000, 2, moment(1.25), 1250 * time.Millisecond},
		},
		"idle":                          {before: sample{moment(0), day, 100, 1}, now: sample{moment(10), day, 100, 2}, want: &Use{0, 2, moment(10), 10 * time.Second}},
		"the first":                     {now: sample{moment(0), day, 100, 1}},
		"the first of a node":           {now: sample{moment(0), start, 100, 1}},
		"the first of what began just":  {now: sample{moment(0), moment(-4), 2, 1}, want: &Use{500_000_000, 1, moment(0), 4 * time.Second}},
		"the first of what begins now":  {now: sample{moment(0), moment(-0.5), 0.5, 1}},
		"restarted in between":          {before: sample{moment(0), day, 100, 1}, now: sample{moment(15), moment(10), 2.5, 2}, want: &Use{500_000_000, 2, moment(15), 5 * time.Second}},
		"restarted just now":            {before: sample{moment(0), day, 100, 1}, now: sample{moment(15), moment(14.9), 0.1, 2}},
		"a node that was booted":        {before: sample{moment(0), start, 100, 1}, now: sample{moment(15), start, 3, 2}},
		"the clock went back":           {before: sample{moment(0), day, 100, 1}, now: sample{moment(-30), day, 110, 2}},
		"it began in the future":        {now: sample{moment(0), moment(60), 1, 2}},
		"not measured again":            {before: sample{moment(0), day, 100, 1}, now: sample{moment(0), day, 100, 1}, same: &Use{7, 1, moment(0), time.Second}, want: &Use{7, 1, moment(0), time.Second}},
		"not measured again, nor known": {before: sample{moment(0), day, 100, 1}, now: sample{moment(0), day, 100, 1}},
		"nothing before was of use":     {before: sample{moment(0), day, 0, 1}, now: sample{moment(15), day, 7, 1}},
	} {
		if d := cmp.Diff(c.want, between(c.before, c.now, c.same)); d != "" {
			t.Errorf("%s: wanted (-) and got (+)\n%s", name, d)
		}
	}
}

func TestPodsAreKnownWhollyOrNot(t *testing.T) {
	day := moment(-86400)
	first := &reading{node: sample{at: moment(0), cpu: 10, memory: 1}, containers: map[container]sample{
		{"ns", "both", "a"}: {moment(0), day, 1, 1}, {"ns", "both", "b"}: {moment(0), day, 1, 1},
		{"ns", "half", "a"}: {moment(0), day, 1, 1}, {"ns", "half", "b"}: {moment(0), day, 1, 1},
		{"ns", "new", "a"}: {moment(0), day, 1, 1}, {"ns", "gone", "a"}: {moment(0), day, 1, 1},
	}}
	second := &reading{node: sample{at: moment(10), cpu: 12, memory: 1}, containers: map[container]sample{
		{"ns", "both", "b"}: {moment(10), day, 3, 1}, {"ns", "both", "a"}: {moment(10), day, 2, 1},
		{"ns", "half", "a"}: {moment(10), day, 1, 1}, {"ns", "half", "b"}: {moment(10), day, 1, 0}, // no memory
		{"ns", "new", "a"}: {moment(10), day, 2, 1}, {"ns", "new", "b"}: {moment(10), moment(9.9), 2, 1}, // has just begun
	}}
	var none *Figure
	f := none.after(first, time.Now())
	if f.Node != nil || len(f.pods) != 0 {
		t.Errorf("known after one reading: node %v, pods %v", f.Node, f.pods)
	}
	f = f.after(second, time.Now())
	if f.Node == nil || f.Node.CPU != 200_000_000 {
		t.Errorf("the node uses %v", f.Node)
	}
	both := f.Pod("ns", "both")
	if len(both) != 2 || both[0].Name != "a" || both[0].CPU != 100_000_000 || both[1].CPU != 200_000_000 {
		t.Errorf("Pod both uses %v", both)
	}
	for _, name := range []string{"half", "new", "gone", "never"} {
		if uses := f.Pod("ns", name); uses != nil {
			t.Errorf("Pod %s uses %v", name, uses)
		}
	}
	if none.Pod("ns", "both") != nil {
		t.Error("something is known of no node")
	}
}

const answered = `# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="web",namespace="ns",pod="p"} 4.710169 1800000000250
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="web",namespace="ns",pod="p"} 1.253376e+06 1800000000250
container_memory_working_set_bytes{container="log",namespace="ns",pod="p"} 4096 1800000000250
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container="web",namespace="ns",pod="p"} 1.7999999999875e+09
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 357.35 1800000000125
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 1.616896e+08 1800000000125
# TYPE resource_scrape_error gauge
resource_scrape_error 0
`

func TestKubeletsAnswersAreUnderstood(t *testing.T) {
	r, err := read(strings.NewReader(answered), began)
	if err != nil {
		t.Fatal(err)
	}
	want := &reading{node: sample{at: moment(0.125), cpu: 357.35, memory: 161689600}, containers: map[container]sample{
		{"ns", "p", "web"}: {moment(0.25), time.UnixMilli(1799999999988), 4.710169, 1253376}, // the start is to the millisecond
		{"ns", "p", "log"}: {memory: 4096},
	}}
	if d := cmp.Diff(want, r, cmp.AllowUnexported(reading{}, sample{}, container{})); d != "" {
		t.Errorf("wanted (-) and read (+)\n%s", d)
	}
	for name, text := range map[string]string{
		"the kubelet failed": strings.Replace(answered, "error 0", "error 1", 1),
		"no metrics at all":  "<html>not found</html>",
	} {
		if r, err := read(strings.NewReader(text), began); err == nil {
			t.Errorf("%s: read %v", name, r)
		}
	}
	if r, err := read(strings.NewReader("resource_scrape_error 0\n"), began); err != nil || r.node.usable() {
		t.Errorf("of nothing was read %v, %v", r, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(answered)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := read(strings.NewReader(text), began)
		if err != nil {
			return
		}
		var none *Figure
		next := none.after(r, began).after(r, began)
		for pod, uses := range next.pods {
			for _, u := range uses {
				if u.CPU < 0 || u.Memory <= 0 || u.Window <= 0 {
					t.Errorf("%v uses %v", pod, u)
				}
			}
		}
	})
}

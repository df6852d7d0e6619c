package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/meter"
)

var began = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// moment is so many seconds after began.
func moment(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func read(seconds int, cpu time.Duration, memory uint64) reading {
	return reading{moment(seconds), meter.Use{CPU: cpu, Memory: memory}}
}

func pod(uid string, r reading) measured {
	return measured{uid: types.UID(uid), namespace: "ns", name: uid, reading: r, ok: !r.at.IsZero()}
}

// show writes figures as thousandths of a processor and bytes.
func (f Figures) show() string {
	var b strings.Builder
	for i := range f.CPU {
		if f.CPU[i] == nil {
			b.WriteString(" -")
			continue
		}
		fmt.Fprintf(&b, " %d/%d", *f.CPU[i]/1e6, *f.Memory[i])
	}
	return strings.TrimSpace(b.String())
}

func (h *History) show() string {
	out := h.Node.show()
	for _, p := range h.Pods {
		out += "; " + p.Name + " " + p.show()
	}
	return out
}

func TestUseIsWhatWasCountedBetweenReadings(t *testing.T) {
	second, none := time.Second, reading{}
	type step struct {
		seconds int
		node    reading
		pods    []measured
	}
	for name, tt := range map[string]struct {
		steps []step
		want  string
	}{
		"the first reading is none yet": {[]step{{0, read(0, 5*second, 1), nil}}, "-"},
		"the average of each minute": {
			[]step{{0, read(0, 5*second, 1), nil}, {60, read(60, 35*second, 2), nil}, {120, read(120, 38*second, 3), nil}}, "- 500/2 50/3",
		},
		"of the moment at which it was read": {[]step{{0, read(0, 0, 1), nil}, {60, read(62, 31*second, 2), nil}}, "- 500/2"},
		"readings between minutes are told as long as they are the last": {
			[]step{{0, read(0, 0, 1), nil}, {10, read(10, 5*second, 2), nil}}, "- 500/2",
		},
		"a minute is all of it, its last figure what was used since the last reading": {
			[]step{{0, read(0, 0, 1), nil}, {50, read(50, 30*second, 2), nil}, {60, read(60, 31*second, 3), nil}, {70, read(70, 32*second, 4), nil}}, "- 516/3 100/4",
		},
		"a machine that was booted begins anew": {[]step{{0, read(0, 50*second, 1), nil}, {60, read(60, second, 1), nil}, {120, read(120, 7*second, 1), nil}}, "- - 100/1"},
		"what could not be read is not known":   {[]step{{0, read(0, 0, 1), nil}, {60, none, nil}, {120, read(120, 60*second, 1), nil}, {180, read(180, 90*second, 1), nil}}, "- - - 500/1"},
		"a pod from when it is there": {
			[]step{{0, none, nil}, {60, none, []measured{pod("a", read(60, second, 1))}}, {120, none, []measured{pod("a", read(120, 7*second, 2))}}}, "- - -; a - - 100/2",
		},
		"a pod that began between two minutes": {
			[]step{{0, none, nil}, {50, none, []measured{pod("a", read(50, second, 1))}}, {60, none, []measured{pod("a", read(60, 2*second, 2))}}, {70, none, []measured{pod("a", read(70, 2*second, 3))}}}, "- - -; a - 100/2 0/3",
		},
		"a pod that has ended is known until the API has it no more": {
			[]step{{0, none, []measured{pod("a", read(0, 0, 1))}}, {60, none, []measured{pod("a", read(60, 6*second, 1))}}, {120, none, []measured{pod("a", none)}}}, "- - -; a - 100/1 -",
		},
		"a pod that is gone is forgotten": {
			[]step{{0, none, []measured{pod("a", read(0, 0, 1)), pod("b", read(0, 0, 1))}}, {60, none, []measured{pod("a", read(60, 6*second, 1)), pod("b", read(60, 0, 1))}}, {120, none, []measured{pod("b", read(120, 0, 2))}}}, "- - -; b - 0/1 0/2",
		},
		"one that begins later under its name is another": {
			[]step{
				{0, none, []measured{pod("a", read(0, 0, 1))}}, {60, none, []measured{pod("a", read(60, 6*second, 1))}},
				{120, none, []measured{{uid: "new", namespace: "ns", name: "a", reading: read(120, 3*second, 1), ok: true}}},
				{180, none, []measured{{uid: "new", namespace: "ns", name: "a", reading: read(180, 6*second, 1), ok: true}}},
			}, "- - - -; a - - - 50/1",
		},
		"a pod that was never seen to run": {[]step{{0, none, []measured{pod("a", none)}}, {60, none, []measured{pod("a", none)}}}, "- -"},
	} {
		b := newBook()
		for _, s := range tt.steps {
			b.enter(moment(s.seconds), s.seconds%60 == 0, s.node, s.pods)
		}
		if got := b.since(time.Time{}, "").show(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// filled has a node and Pods that have been measured for so many minutes.
func filled(minutes, pods int) *book {
	b := newBook()
	for m := range minutes {
		list := make([]measured, 0, pods)
		for p := range pods {
			list = append(list, pod(fmt.Sprintf("pod-%03d", p), read(60*m, time.Duration(m*p)*time.Second/10, uint64(m))))
		}
		b.enter(moment(60*m), true, read(60*m, time.Duration(m)*time.Second, uint64(m)), list)
	}
	return b
}

func TestAnHourIsKept(t *testing.T) {
	b := filled(200, 2)
	h := b.since(time.Time{}, "")
	if len(h.Times) != 60 || !h.Times[0].Equal(moment(60*140)) || !h.Times[59].Equal(moment(60*199)) {
		t.Fatalf("got %d times, from %s to %s", len(h.Times), h.Times[0], h.Times[len(h.Times)-1])
	}
	for i, at := range h.Times {
		if m := 140 + i; !at.Equal(moment(60*m)) || *h.Node.Memory[i] != uint64(m) || *h.Pods[1].CPU[i] != uint64(time.Second/600) {
			t.Errorf("at %s: node %d, pod %d", at, *h.Node.Memory[i], *h.Pods[1].CPU[i])
		}
	}
	b.enter(moment(60*230), true, read(60*230, 0, 1), nil)
	if h = b.since(time.Time{}, ""); len(h.Times) != 30 {
		t.Errorf("a machine that slept for half an hour tells of %d times, want the 30 of the last hour", len(h.Times))
	}
}

func TestOnlyWhatIsAskedForIsTold(t *testing.T) {
	b := filled(10, 3)
	for name, tt := range map[string]struct {
		after time.Time
		pod   types.UID
		want  string
	}{
		"one pod":                {moment(60 * 7), "pod-001", "16/8 16/9; pod-001 1/8 1/9"},
		"one that is not there":  {moment(60 * 8), "else", "16/9"},
		"after a time":           {moment(60 * 8), "", "16/9; pod-000 0/9; pod-001 1/9; pod-002 3/9"},
		"after the last reading": {moment(60 * 9), "", ""},
	} {
		if got := b.since(tt.after, tt.pod).show(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestEndedPodsAreForgottenAfterAnHour(t *testing.T) {
	b := filled(3, 2)
	for m := 3; m < 70; m++ {
		b.enter(moment(60*m), true, reading{}, []measured{pod("pod-000", reading{}), pod("pod-001", read(60*m, time.Hour, 1))})
		if _, known := b.pods["pod-000"]; known != (m < 62) {
			t.Fatalf("after %d minutes a pod that was measured in the second is known: %v", m, known)
		}
	}
	if b.pods["pod-001"] == nil {
		t.Error("a pod that runs is forgotten")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	if size := unsafe.Sizeof(track{}); size > 1200 {
		t.Errorf("a pod takes %d bytes", size)
	}
	b := newBook()
	var list []measured
	for i := range 1000 {
		for j := range list {
			list[j].reading, list[j].ok = reading{}, false
		}
		list = append(list, pod(fmt.Sprint(i), read(60*i, 0, 1)))
		b.enter(moment(60*i), true, reading{}, list)
	}
	if len(b.pods) > 60 {
		t.Errorf("of 1000 pods that ran one after another %d are known", len(b.pods))
	}
	b = filled(2, 1000)
	for i := range list {
		list[i] = pod(fmt.Sprintf("pod-%03d", i), reading{})
	}
	b.enter(moment(120), true, reading{}, list)
	if len(b.pods) != mostEnded {
		t.Errorf("of 1000 pods that have ended %d are known, want %d", len(b.pods), mostEnded)
	}
}

// BenchmarkEnter notes readings of as many Pods, and BenchmarkSince tells the hour of them: what is not reading of files.
func BenchmarkEnter(b *testing.B) {
	for _, pods := range []int{20, 100, 250} {
		b.Run(fmt.Sprint(pods), func(b *testing.B) {
			k := filled(61, pods)
			list := make([]measured, 0, pods)
			for p := range pods {
				list = append(list, pod(fmt.Sprintf("pod-%03d", p), read(0, 0, 1)))
			}
			b.ReportAllocs()
			for n := 61; b.Loop(); n++ {
				for i := range list {
					list[i].reading = read(60*n, time.Duration(n)*time.Second, 1)
				}
				k.enter(moment(60*n), true, list[0].reading, list)
			}
		})
	}
}

func BenchmarkSince(b *testing.B) {
	k := filled(61, 250)
	b.ReportAllocs()
	for b.Loop() {
		k.since(time.Time{}, "")
	}
}

package history

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/kubelet/meter"
)

const (
	// kept is how many minutes are remembered.
	kept = 60
	// mostEnded is how many Pods are remembered that use nothing any more: a node may have thousands that have ended.
	mostEnded = 250
)

// point is what was used at a time of the book, processors in thousand-millionths on average since the time before.
type point struct{ cpu, memory uint64 }

// unknown is no point.
var unknown = point{cpu: ^uint64(0)}

// track is what is known of the node or of a Pod. It has the same size always.
type track struct {
	namespace, name string
	points          [kept]point // as book's times
	fresh           point       // since the last reading
	last            reading     // the last
	minute          reading     // that of the last minute, nothing if it was not measured then
	pages           uint        // how many the book had when something was known last
}

// reading is what counters said. No time is none.
type reading struct {
	at  time.Time
	use meter.Use
}

// to is what was used until another reading. Counters that went back began anew.
func (r reading) to(now reading) point {
	passed := now.at.Sub(r.at)
	if r.at.IsZero() || passed <= 0 || now.use.CPU < r.use.CPU {
		return unknown
	}
	return point{cpu: uint64(float64(now.use.CPU-r.use.CPU) / passed.Seconds()), memory: now.use.Memory}
}

// measured is what was read of a Pod. Where ok is not set it is there and uses nothing that could be read: it has ended, or not begun.
type measured struct {
	uid             types.UID
	namespace, name string
	reading
	ok bool
}

// book holds figures. It does nothing by itself, and is for one goroutine.
type book struct {
	times [kept]time.Time // of the last minutes, at their numbers modulo kept
	pages uint            // how many minutes there have been
	last  time.Time       // of the last reading
	node  *track
	pods  map[types.UID]*track
}

func newBook() *book { return &book{node: newTrack("", ""), pods: map[types.UID]*track{}} }

func newTrack(namespace, name string) *track {
	t := &track{namespace: namespace, name: name}
	for i := range t.points {
		t.points[i] = unknown
	}
	return t
}

// enter notes a reading, which is that of a minute or one between two. Pods that are not among those read are forgotten.
func (b *book) enter(now time.Time, minute bool, node reading, pods []measured) {
	b.last = now
	if minute {
		b.times[b.pages%kept] = now
		b.pages++
	}
	b.note(b.node, node, !node.at.IsZero(), minute)
	there := make(map[types.UID]bool, len(pods))
	for i := range pods {
		p := &pods[i]
		there[p.uid] = true
		t := b.pods[p.uid]
		if t == nil && p.ok {
			t = newTrack(p.namespace, p.name)
			b.pods[p.uid] = t
		}
		if t != nil {
			b.note(t, p.reading, p.ok, minute)
		}
	}
	b.forget(there)
}

func (b *book) note(t *track, now reading, ok, minute bool) {
	p, fresh := unknown, unknown
	if ok {
		p, fresh = t.minute.to(now), t.last.to(now)
		t.pages, t.last = b.pages, now
	} else {
		t.last = reading{}
	}
	t.fresh = fresh
	if !minute {
		return
	}
	if p == unknown {
		p = fresh // it began since then
	}
	t.points[(b.pages-1)%kept], t.minute = p, t.last
}

// forget leaves Pods that are there and were known of in the last hour; of those that have ended the latest.
func (b *book) forget(there map[types.UID]bool) {
	var ended []types.UID
	for uid, t := range b.pods {
		switch {
		case !there[uid] || b.pages-t.pages >= kept:
			delete(b.pods, uid)
		case t.last.at.IsZero():
			ended = append(ended, uid)
		}
	}
	if len(ended) <= mostEnded {
		return
	}
	slices.SortFunc(ended, func(a, c types.UID) int { return cmp.Compare(b.pods[a].pages, b.pods[c].pages) })
	for _, uid := range ended[:len(ended)-mostEnded] {
		delete(b.pods, uid)
	}
}

// since tells what was measured after a time, of the last hour, of the node and of one Pod or, where that is "", of all. The last figures
// are those since the reading before, minutes or not.
func (b *book) since(after time.Time, pod types.UID) *History {
	after = latest(after, b.last.Add(-kept*time.Minute))
	var slots []uint
	h := &History{Times: []time.Time{}, Pods: []Pod{}}
	for n := b.pages - min(b.pages, kept); n < b.pages; n++ {
		if at := b.times[n%kept]; at.After(after) && at.Before(b.last) {
			slots = append(slots, n%kept)
			h.Times = append(h.Times, stamp(at))
		}
	}
	if b.last.After(after) {
		h.Times = append(h.Times, stamp(b.last))
	}
	h.Node, _ = b.node.figures(slots, len(h.Times))
	for uid, t := range b.pods {
		if pod != "" && uid != pod {
			continue
		}
		if f, any := t.figures(slots, len(h.Times)); any {
			h.Pods = append(h.Pods, Pod{Namespace: t.namespace, Name: t.name, UID: uid, Figures: f})
		}
	}
	slices.SortFunc(h.Pods, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return h
}

// figures are a track's at some times, of which there is one more than slots if the last reading is among them.
func (t *track) figures(slots []uint, times int) (f Figures, any bool) {
	points := make([]point, 0, times)
	for _, i := range slots {
		points = append(points, t.points[i])
	}
	if times > len(slots) {
		points = append(points, t.fresh)
	}
	f = Figures{CPU: make([]*uint64, times), Memory: make([]*uint64, times)}
	for i := range points {
		if points[i] != unknown {
			f.CPU[i], f.Memory[i], any = &points[i].cpu, &points[i].memory, true
		}
	}
	return f, any
}

// stamp is a time as it is served.
func stamp(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

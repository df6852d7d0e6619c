package health

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

const (
	// patience is how long a change may wait to become rules.
	patience = time.Minute
	// toBeDeleted is the taint by which the cluster autoscaler says that a node is about to go.
	toBeDeleted = "ToBeDeletedByClusterAutoscaler"
)

// Rules says whether the node's packet rules are as recent as they should be, and whether load balancers may use the node, at
// /livez and /healthz. https://kubernetes.io/docs/reference/networking/virtual-ips/
type Rules struct {
	mu sync.Mutex
	// updated is when the rules last matched, pending since when they may not; zero if they do.
	updated, pending time.Time
	eligible         bool
	running          *listening
	said             string
}

// NewRules returns what knows of no rules and no node yet.
func NewRules() *Rules { return &Rules{} }

// Pending tells that the rules are about to be changed.
func (r *Rules) Pending() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending.IsZero() {
		r.pending = time.Now()
	}
}

// Updated tells that the rules match.
func (r *Rules) Updated() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.updated, r.pending = time.Now(), time.Time{}
}

// SetNode tells how the node is; nil for one that there is not.
func (r *Rules) SetNode(node *corev1.Node) {
	eligible := node != nil && node.DeletionTimestamp.IsZero()
	for i := 0; eligible && i < len(node.Spec.Taints); i++ {
		eligible = node.Spec.Taints[i].Key != toBeDeleted
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.eligible = eligible
}

// Healthy says whether no change waits for too long.
func (r *Rules) Healthy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.healthy(time.Now())
}

func (r *Rules) healthy(now time.Time) bool {
	return r.pending.IsZero() || now.Sub(r.pending) < patience
}

// Listen serves at an address unless it does so already. An address that cannot be had is logged and tried again the next
// time: another node of the same machine may have it.
func (r *Rules) Listen(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		return
	}
	started, err := listen(address, r.handler())
	switch {
	case err == nil:
		r.running, r.said = started, ""
	case r.said != err.Error():
		r.said = err.Error()
		klog.Background().Info("The proxy's health is not served", "address", address, "error", r.said)
	}
}

// Close stops serving, and returns when that has stopped. Idempotent.
func (r *Rules) Close() {
	r.mu.Lock()
	running := r.running
	r.running = nil
	r.mu.Unlock()
	if running != nil {
		running.close()
	}
}

// report is what is answered, in upstream's form.
type report struct {
	LastUpdated  time.Time                        `json:"lastUpdated"`
	CurrentTime  time.Time                        `json:"currentTime"`
	NodeEligible *bool                            `json:"nodeEligible,omitempty"`
	Healthy      bool                             `json:"healthy"`
	Status       map[corev1.IPFamily]familyReport `json:"status,omitempty"`
}

type familyReport struct {
	LastUpdated time.Time `json:"lastUpdated"`
	Healthy     bool      `json:"healthy"`
}

// report tells of the rules, and of the node if asked.
func (r *Rules) report(now time.Time, ofNode bool) (report, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := report{LastUpdated: r.updated, CurrentTime: now, Healthy: r.healthy(now)}
	if !r.updated.IsZero() {
		answer.Status = map[corev1.IPFamily]familyReport{corev1.IPv4Protocol: {r.updated, answer.Healthy}}
	}
	good := answer.Healthy
	if ofNode {
		eligible := r.eligible
		answer.NodeEligible = &eligible
		good = good && eligible
	}
	if good {
		// Readers of old expect a time that is recent while all is well.
		answer.LastUpdated = now
	}
	return answer, good
}

func (r *Rules) handler() http.Handler {
	answer := func(ofNode bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			report, good := r.report(time.Now(), ofNode)
			content, err := json.Marshal(report)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			if !good {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			w.Write(content)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/healthz", answer(true))
	mux.Handle("/livez", answer(false))
	return mux
}

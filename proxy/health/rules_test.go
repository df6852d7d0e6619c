package health

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

func get(t *testing.T, r *Rules, path string) (int, report) {
	t.Helper()
	w := httptest.NewRecorder()
	r.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var answer report
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Errorf("%s: %q: %v", path, w.Body, err)
	}
	return w.Code, answer
}

func TestNodesThatCanTakeTraffic(t *testing.T) {
	node, tainted, deleted := &corev1.Node{}, &corev1.Node{}, &corev1.Node{}
	node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	tainted.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler", Effect: corev1.TaintEffectNoSchedule}}
	deleted.DeletionTimestamp = ptr.To(metav1.Now())
	for _, test := range []struct {
		name           string
		node           *corev1.Node
		updated        bool
		waits          time.Duration // for how long a change has
		healthz, livez int
	}{
		{"all is well", node, true, 0, 200, 200},
		{"before the first rules", node, false, 0, 200, 200},
		{"a change is under way", node, true, 59 * time.Second, 200, 200},
		{"a change waits for too long", node, true, time.Minute, 503, 503},
		{"rules were never made", node, false, time.Minute, 503, 503},
		{"about to be deleted", tainted, true, 0, 503, 200},
		{"being deleted", deleted, true, 0, 503, 200},
		{"there is no such node", nil, true, 0, 503, 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, began := NewRules(), time.Now()
			r.SetNode(test.node)
			if test.updated {
				r.Pending()
				r.Updated()
			}
			if test.waits > 0 {
				r.Pending()
				time.Sleep(test.waits - time.Second)
				r.Pending() // the first counts
				time.Sleep(time.Second)
			}
			time.Sleep(time.Second / 2)
			healthz, of := get(t, r, "/healthz")
			livez, live := get(t, r, "/livez")
			if healthz != test.healthz || livez != test.livez {
				t.Errorf("%s: healthz %d, livez %d; want %d, %d", test.name, healthz, livez, test.healthz, test.livez)
			}
			if of.NodeEligible == nil || *of.NodeEligible != (test.node == node) || live.NodeEligible != nil {
				t.Errorf("%s: healthz %+v, livez %+v", test.name, of, live)
			}
			wanted := time.Now()
			if healthz != 200 {
				wanted = time.Time{}
				if test.updated {
					wanted = began
				}
			}
			if !of.CurrentTime.Equal(time.Now()) || !of.LastUpdated.Equal(wanted) {
				t.Errorf("%s: %+v, want last updated %s", test.name, of, wanted)
			}
		})
	}
}

func TestTakenPortsAreTriedAgain(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, address := NewRules(), other.Addr().String()
	defer r.Close()
	r.Listen(address)
	other.Close()
	r.Listen(address)
	r.Listen(address)
	response, err := await.Client.Get("http://" + address + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("livez: %s", response.Status)
	}
	r.Close()
	if _, err := await.Client.Get("http://" + address + "/livez"); err == nil {
		t.Error("still served after Close")
	}
}

func TestServicesAreUnhealthyWhereRulesAreOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := NewRules()
		s := &server{rules: rules, local: 1}
		for _, want := range []int{200, 503} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != want {
				t.Errorf("answered %d, want %d: %s", w.Code, want, w.Body)
			}
			rules.Pending()
			time.Sleep(patience)
		}
	})
}

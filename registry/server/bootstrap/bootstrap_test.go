package bootstrap

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Whether a server lives is told by this server's clock, whatever the other's says.
func TestOnlyLivingServersAreLedTo(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lease := func(name, holder string, said time.Time) coordinationv1.Lease {
		return coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: ptr.To[int32](30), RenewTime: ptr.To(metav1.NewMicroTime(said)),
		}}
	}
	var p peers
	addresses := func(of ...string) (all []netip.Addr) {
		for _, a := range of {
			all = append(all, netip.MustParseAddr(a))
		}
		return all
	}
	slow, dead := now.Add(-time.Hour), now
	first := []coordinationv1.Lease{lease("b", "10.0.0.2", slow), lease("a", "10.0.0.1", now), lease("c", "10.0.0.3", dead), lease("d", "nonsense", now), {}}
	if got, want := p.alive(first, now), addresses("10.0.0.1", "10.0.0.2", "10.0.0.3"); !slices.Equal(got, want) {
		t.Errorf("at first %v, want %v", got, want)
	}
	later := []coordinationv1.Lease{lease("b", "10.0.0.2", slow.Add(time.Minute)), lease("a", "10.0.0.1", now.Add(time.Minute)), lease("c", "10.0.0.3", dead)}
	if got, want := p.alive(later, now.Add(31*time.Second)), addresses("10.0.0.1", "10.0.0.2"); !slices.Equal(got, want) {
		t.Errorf("later %v, want %v", got, want)
	}
}

func TestTrustIsAddedTo(t *testing.T) {
	const one = "-----BEGIN CERTIFICATE-----\nMTE=\n-----END CERTIFICATE-----\n"
	const two = "-----BEGIN CERTIFICATE-----\nMjI=\n-----END CERTIFICATE-----\n"
	trust := Trust{ClientCA: []byte(two), ProxyCA: []byte(one), ProxyNames: []string{"b"}, UserHeaders: []string{"X-Remote-User"}}
	merged, err := trust.mergedWith(map[string]string{"client-ca-file": one, "requestheader-allowed-names": `["a"]`, "other": "kept"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"client-ca-file": one + two, "requestheader-client-ca-file": one, "requestheader-allowed-names": `["a","b"]`,
		"requestheader-username-headers": `["X-Remote-User"]`, "requestheader-group-headers": `[]`, "other": "kept",
	} {
		if merged[key] != want {
			t.Errorf("%s is %q, want %q", key, merged[key], want)
		}
	}
	again, err := trust.mergedWith(merged)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(merged) {
		t.Errorf("merged again: %v, %v", again, err)
	}
	if _, err := trust.mergedWith(map[string]string{"requestheader-allowed-names": "x"}); err == nil {
		t.Error("what cannot be read was overwritten")
	}
}

func TestFlowControlIsKeptUnlessTakenOver(t *testing.T) {
	for _, c := range []struct {
		annotation string
		generation int64
		mandatory  bool
		reset      bool
	}{
		{annotation: "true", generation: 5, reset: true},
		{annotation: "false", generation: 1, reset: false},
		{annotation: "", generation: 1, reset: true},
		{annotation: "", generation: 2, reset: false},
		{annotation: "false", generation: 9, mandatory: true, reset: true},
	} {
		o := &flowcontrolv1.FlowSchema{ObjectMeta: metav1.ObjectMeta{Generation: c.generation}}
		if c.annotation != "" {
			o.Annotations = map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: c.annotation}
		}
		called := false
		maintain(o, c.mandatory, func() bool { called = true; return false })
		if called != c.reset || o.Annotations[flowcontrolv1.AutoUpdateAnnotationKey] != fmt.Sprint(c.reset) {
			t.Errorf("%+v: reset %v, annotations %v", c, called, o.Annotations)
		}
	}
}

package apps

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestControllersOfRevisionsInTables(t *testing.T) {
	owner := func(version, kind string) *controllerRevision {
		return &controllerRevision{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: "web", Controller: new(true)}}}}
	}
	for want, r := range map[string]*controllerRevision{
		"<none>": {}, "statefulset.apps/web": owner("apps/v1", "StatefulSet"), "pod/web": owner("v1", "Pod"), "web": owner("a/b/c", "X"),
	} {
		if got := revisionController(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNamesThatMakeOddHostnamesAreToldOf(t *testing.T) {
	if got := nameWarnings("web"); got != nil {
		t.Errorf("web: %q", got)
	}
	if got := nameWarnings("web.v2"); len(got) != 1 {
		t.Errorf("web.v2: %q", got)
	}
}

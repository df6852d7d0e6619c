package kubelet_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/coracle-k8s/coracle/kubelet/history"
)

func TestHistoryIsStreamedWhileItIsMeasured(t *testing.T) {
	w := newWorld(t)
	p := w.create(pod("busy", `echo begun; while true; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; done`))
	w.wrote(p, "main", "begun\n")
	stream, err := w.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/"+nodeName+"/proxy/stats/history").Param("watch", "true").Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	lines := json.NewDecoder(stream)
	// The hour, what is measured at once, and what is measured ten seconds later at most: the Pod was there for two of them.
	for range 4 {
		var h history.History
		if err := lines.Decode(&h); err != nil {
			t.Fatalf("waiting for the pod's figures: %v", err)
		}
		i := slices.IndexFunc(h.Pods, func(p history.Pod) bool { return p.Name == "busy" })
		if i < 0 {
			continue
		}
		last := len(h.Times) - 1
		of, node := h.Pods[i], h.Node
		if of.UID != p.UID || of.Namespace != p.Namespace || of.CPU[last] == nil || *of.CPU[last] < 1e6 || *of.Memory[last] == 0 || node.CPU[last] == nil || *node.Memory[last] <= *of.Memory[last] {
			shown, _ := json.Marshal(h)
			t.Errorf("a pod that works: %s", shown)
		}
		return
	}
	t.Error("nothing is told of a pod that runs")
}

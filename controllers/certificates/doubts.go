package certificates

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

// doubts tells, by Events that kubectl describe csr shows, why requests wait for people.
type doubts struct{ recorder events.EventRecorder }

// tell may be called again: the recorder counts Events that are alike.
func (d doubts) tell(csr *request, why string) {
	d.recorder.Eventf(csr, nil, corev1.EventTypeWarning, "NotApproved", "Approve", "%s; kubectl certificate approve %s lets it pass", why, csr.Name)
}

// Package history remembers what the node and its Pods used in the last hour. It measures once a minute, and more often only while
// somebody watches. What it knows ends with the process.
package history

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// History is what the node and Pods used, in the form in which it is served. All figures have a value for each of Times, which is null
// where it is not known.
type History struct {
	NodeName string `json:"nodeName"`
	// Times are when it was measured, oldest first. Processors are used on average since the time before.
	Times []time.Time `json:"times"`
	Node  Figures     `json:"node"`
	Pods  []Pod       `json:"pods"`
}

// Figures are those of the node or of a Pod.
type Figures struct {
	CPU    []*uint64 `json:"usageNanoCores"`
	Memory []*uint64 `json:"workingSetBytes"`
}

// Pod is one of the node that has a figure among these.
type Pod struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	Figures
}

// Package attachment names a Pod's joining to the network: the plugin that joins Pods and the node that looks after them agree here.
package attachment

import (
	"crypto/sha256"
	"encoding/hex"
)

// Name is what an attachment's addresses are kept by: a container's interface.
func Name(containerID, ifName string) string { return containerID + ":" + ifName }

// HostLink is the name of an attachment's link on the host. It follows from the attachment's own, so that it is found without a record.
func HostLink(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "veth" + hex.EncodeToString(sum[:])[:10]
}

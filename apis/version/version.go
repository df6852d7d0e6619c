// Package version says which version of Kubernetes all parts are: what they answer, how they name themselves.
package version

// Kubernetes is the version whose libraries and behaviour these are: that of k8s.io/api in go.mod. MajorMinor are its first two numbers.
const (
	Kubernetes = "1.37.2"
	MajorMinor = "1.37"
)

// Package suite imports the upstream suite, so that what its tests need is in go.mod and go.sum.
package suite

import _ "k8s.io/kubernetes/test/e2e"

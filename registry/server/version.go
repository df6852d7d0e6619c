package server

import (
	"runtime"

	"k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/component-base/compatibility"
)

// kubernetesVersion is the version of the API that is served.
const kubernetesVersion = "1.36.3"

// effectiveVersion says that the server is Kubernetes, and which build of it.
type effectiveVersion struct{ compatibility.EffectiveVersion }

func newEffectiveVersion() compatibility.EffectiveVersion {
	v := version.MustParseSemantic(kubernetesVersion)
	return effectiveVersion{compatibility.NewEffectiveVersion(v, false, version.MajorMinor(v.Major(), v.Minor()), version.MajorMinor(v.Major(), v.Minor()-1))}
}

// Info answers /version.
func (effectiveVersion) Info() *apimachineryversion.Info {
	return &apimachineryversion.Info{
		Major: "1", Minor: "36",
		EmulationMajor: "1", EmulationMinor: "36",
		MinCompatibilityMajor: "1", MinCompatibilityMinor: "35",
		GitVersion:   "v" + kubernetesVersion + "+coracle",
		GitTreeState: "clean",
		GoVersion:    runtime.Version(),
		Compiler:     runtime.Compiler,
		Platform:     runtime.GOOS + "/" + runtime.GOARCH,
	}
}

package server

import (
	"fmt"
	"runtime"

	"k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/component-base/compatibility"

	ours "github.com/coracle-k8s/coracle/apis/version"
)

// effectiveVersion says that the server is Kubernetes, and which build of it.
type effectiveVersion struct{ compatibility.EffectiveVersion }

func newEffectiveVersion() compatibility.EffectiveVersion {
	v := version.MustParseSemantic(ours.Kubernetes)
	return effectiveVersion{compatibility.NewEffectiveVersion(v, false, version.MajorMinor(v.Major(), v.Minor()), version.MajorMinor(v.Major(), v.Minor()-1))}
}

// Info answers /version.
func (e effectiveVersion) Info() *apimachineryversion.Info {
	major, minor := numbers(e.BinaryVersion())
	emulationMajor, emulationMinor := numbers(e.EmulationVersion())
	oldestMajor, oldestMinor := numbers(e.MinCompatibilityVersion())
	return &apimachineryversion.Info{
		Major: major, Minor: minor,
		EmulationMajor: emulationMajor, EmulationMinor: emulationMinor,
		MinCompatibilityMajor: oldestMajor, MinCompatibilityMinor: oldestMinor,
		GitVersion:   "v" + ours.Kubernetes + "+coracle",
		GitTreeState: "clean",
		GoVersion:    runtime.Version(),
		Compiler:     runtime.Compiler,
		Platform:     runtime.GOOS + "/" + runtime.GOARCH,
	}
}

func numbers(v *version.Version) (major, minor string) {
	return fmt.Sprint(v.Major()), fmt.Sprint(v.Minor())
}

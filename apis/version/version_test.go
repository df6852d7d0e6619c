package version

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestVersionIsThatOfTheLibraries(t *testing.T) {
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`\n\tk8s\.io/api v0\.(\S+)`).FindSubmatch(module)
	if required == nil || "1."+string(required[1]) != Kubernetes {
		t.Errorf("the libraries are of v0.%s, this is %s", required[1], Kubernetes)
	}
	if !strings.HasPrefix(Kubernetes, MajorMinor+".") {
		t.Errorf("%s is no version of %s", Kubernetes, MajorMinor)
	}
}

package admission

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
)

// readConfiguration reads the AdmissionConfiguration in a file, which tells plugins of those named what each is told; without a file all
// have their defaults. Paths in it are relative to its folder.
//
// Otherwise than upstream's, it must name plugins that are on, and each once: what it says of others would be ignored without a word.
//
// See https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-k8s-io-v1-AdmissionConfiguration.
func readConfiguration(file string, plugins []string) (admission.ConfigProvider, error) {
	s := runtime.NewScheme()
	install.Install(s)
	if file != "" {
		if err := checkConfiguration(file, s, plugins); err != nil {
			return nil, fmt.Errorf("configuration of admission plugins %s: %w", file, err)
		}
	}
	return admission.ReadAdmissionConfiguration(plugins, file, s)
}

// checkConfiguration finds what the library would end the process for, or overlook.
func checkConfiguration(file string, s *runtime.Scheme, plugins []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	obj, err := runtime.Decode(serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDecoder(), data)
	if err != nil {
		return err
	}
	configuration, ok := obj.(*apiserver.AdmissionConfiguration)
	if !ok {
		return fmt.Errorf("it is %T, no AdmissionConfiguration", obj)
	}
	seen := sets.New[string]()
	for i, p := range configuration.Plugins {
		at := fmt.Sprintf("plugins[%d]", i)
		switch {
		case !slices.Contains(plugins, p.Name):
			return fmt.Errorf("%s.name: no plugin %q is on; those are %s", at, p.Name, strings.Join(plugins, ", "))
		case seen.Has(p.Name):
			return fmt.Errorf("%s.name: %s is there twice", at, p.Name)
		case p.Path == "" || p.Configuration != nil:
		default:
			path := p.Path
			if !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.ReadFile(path); err != nil {
				return fmt.Errorf("%s.path: %w", at, err)
			}
		}
		seen.Insert(p.Name)
	}
	return nil
}

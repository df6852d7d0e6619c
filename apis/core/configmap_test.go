package core

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestConfigMapsAreBounded(t *testing.T) {
	cm := &corev1.ConfigMap{
		Data:       map[string]string{"a": strings.Repeat("x", corev1.MaxSecretSize-1)},
		BinaryData: map[string][]byte{"b": {1}},
	}
	if errs := ValidateConfigMap(cm); len(errs) > 0 {
		t.Errorf("as much as fits: %v", errs)
	}
	cm.BinaryData["b"] = []byte{1, 2}
	const want = "[]: Too long: may not be more than 1048576 bytes"
	if errs := ValidateConfigMap(cm); len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("one byte more: got %v, want %s", errs, want)
	}
}

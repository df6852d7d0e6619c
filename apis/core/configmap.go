package core

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultConfigMap gives readers a map even where there is nothing in it.
func DefaultConfigMap(cm *corev1.ConfigMap) {
	if cm.Data == nil {
		cm.Data = map[string]string{}
	}
}

// ValidateConfigMap checks keys and size. https://kubernetes.io/docs/concepts/configuration/configmap/
func ValidateConfigMap(cm *corev1.ConfigMap) field.ErrorList {
	var errs field.ErrorList
	size := 0
	for k, v := range cm.Data {
		_, taken := cm.BinaryData[k]
		errs = append(errs, validateDataKey(field.NewPath("data").Key(k), k, "binaryData", taken)...)
		size += len(v)
	}
	for k, v := range cm.BinaryData {
		_, taken := cm.Data[k]
		errs = append(errs, validateDataKey(field.NewPath("binaryData").Key(k), k, "data", taken)...)
		size += len(v)
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(field.NewPath(""), "", corev1.MaxSecretSize))
	}
	return errs
}

func validateDataKey(at *field.Path, key, other string, taken bool) (errs field.ErrorList) {
	for _, message := range validation.IsConfigMapKey(key) {
		errs = append(errs, field.Invalid(at, key, message))
	}
	if taken {
		errs = append(errs, field.Invalid(at, key, "duplicate of key present in "+other))
	}
	return errs
}

// ValidateConfigMapUpdate protects what is marked immutable.
func ValidateConfigMapUpdate(cm, old *corev1.ConfigMap) field.ErrorList {
	if !isTrue(old.Immutable) {
		return nil
	}
	var errs field.ErrorList
	errs = append(errs, fixed("immutable", isTrue(cm.Immutable))...)
	errs = append(errs, fixed("data", apiequality.Semantic.DeepEqual(cm.Data, old.Data))...)
	return append(errs, fixed("binaryData", apiequality.Semantic.DeepEqual(cm.BinaryData, old.BinaryData))...)
}

// fixed refuses a change of a field of an object that is marked immutable.
func fixed(name string, same bool) field.ErrorList {
	if same {
		return nil
	}
	return field.ErrorList{field.Forbidden(field.NewPath(name), "field is immutable when `immutable` is set")}
}

func isTrue(b *bool) bool { return b != nil && *b }

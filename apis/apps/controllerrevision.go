package apps

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidateControllerRevision checks the number.
func ValidateControllerRevision(r *appsv1.ControllerRevision) field.ErrorList {
	return rule.NonNegative(r.Revision, field.NewPath("revision"))
}

// ValidateControllerRevisionCreate requires data that is a JSON object.
func ValidateControllerRevisionCreate(r *appsv1.ControllerRevision) field.ErrorList {
	data := field.NewPath("data")
	if r.Data.Raw == nil {
		return field.ErrorList{field.Required(data, "data is mandatory")}
	}
	var value any
	if err := json.Unmarshal(r.Data.Raw, &value); err != nil {
		return field.ErrorList{field.Invalid(data, "<value omitted>", fmt.Sprintf("error parsing data: %v", err))}
	}
	switch value.(type) {
	case map[string]any:
		return nil
	case nil:
		return field.ErrorList{field.Required(data, "data is mandatory")}
	}
	return field.ErrorList{field.Required(data, "data must be a valid JSON object")}
}

// ValidateControllerRevisionUpdate keeps the data.
func ValidateControllerRevisionUpdate(r, old *appsv1.ControllerRevision) field.ErrorList {
	return rule.Immutable(r.Data, old.Data, field.NewPath("data"))
}

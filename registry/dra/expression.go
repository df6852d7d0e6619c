package dra

import (
	"errors"
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	dracel "k8s.io/dynamic-resource-allocation/cel"
)

// checkSelector compiles a selector as the scheduler will.
func checkSelector(expression string, stored bool, at *field.Path) field.ErrorList {
	mode := environment.NewExpressions
	if stored {
		mode = environment.StoredExpressions
	}
	result := dracel.GetCompiler(dracel.Features{EnableConsumableCapacity: true}).CompileCELExpression(expression, dracel.Options{EnvType: &mode})
	switch {
	case result.Error != nil:
		return field.ErrorList{invalid(result.Error, expression, at)}
	case result.MaxCost > resourcev1.CELSelectorExpressionMaxCost:
		return field.ErrorList{field.Forbidden(at, "too complex, exceeds cost limit")}
	}
	return nil
}

func invalid(err error, expression string, at *field.Path) *field.Error {
	var known *cel.Error
	if !errors.As(err, &known) {
		return field.InternalError(at, fmt.Errorf("unsupported error type: %w", err))
	}
	switch known.Type {
	case cel.ErrorTypeRequired:
		return field.Required(at, known.Detail)
	case cel.ErrorTypeInvalid:
		return field.Invalid(at, expression, known.Detail)
	}
	return field.InternalError(at, known)
}

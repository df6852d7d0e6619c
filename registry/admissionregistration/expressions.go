package admissionregistration

import (
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
)

// compilers make one checker for each object: what an object's variables are called is known to its other expressions.
// The environment is built when the first expression comes.
type compilers struct {
	environment func() *environment.EnvSet
}

func newCompilers() compilers {
	return compilers{sync.OnceValue(func() *environment.EnvSet {
		return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	})}
}

func (c compilers) checker() admissionregistration.Checker {
	var variables *plugincel.CompositedCompiler // nil until the first variable, or mutation
	return func(e admissionregistration.Expression, at *field.Path) field.ErrorList {
		switch e.Use {
		case admissionregistration.UseVariable, admissionregistration.UseApply, admissionregistration.UsePatch:
			if variables != nil {
				break
			}
			var err error
			if variables, err = plugincel.NewCompositedCompiler(c.environment()); err != nil {
				return field.ErrorList{field.InternalError(at, fmt.Errorf("preparing to compile: %w", err))}
			}
		}
		if e.Use == admissionregistration.UseVariable && e.Text == "" { // there are variables, but not this one
			return nil
		}
		return compile(c, variables, e, at)
	}
}

func compile(c compilers, variables *plugincel.CompositedCompiler, e admissionregistration.Expression, at *field.Path) field.ErrorList {
	var compiler plugincel.Compiler = variables
	if variables == nil || e.Use == admissionregistration.UseMatch { // the latter sees no variables
		compiler = plugincel.NewCompiler(c.environment())
	}
	mode := environment.NewExpressions
	if e.Stored {
		mode = environment.StoredExpressions
	}
	options := plugincel.OptionalVariableDeclarations{HasParams: e.Params, HasAuthorizer: true}
	var result plugincel.CompilationResult
	switch e.Use {
	case admissionregistration.UseMatch:
		result = compiler.CompileCELExpression(&matchconditions.MatchCondition{Expression: e.Text}, options, mode)
	case admissionregistration.UseVariable:
		result = variables.CompileAndStoreVariable(&validating.Variable{Name: e.Name, Expression: e.Text}, options, mode)
	case admissionregistration.UseValidation:
		result = compiler.CompileCELExpression(&validating.ValidationCondition{Expression: e.Text}, options, mode)
	case admissionregistration.UseMessage:
		options.HasAuthorizer = false
		result = compiler.CompileCELExpression(&validating.MessageExpressionCondition{MessageExpression: e.Text}, options, mode)
	case admissionregistration.UseAudit:
		result = compiler.CompileCELExpression(&validating.AuditAnnotationCondition{ValueExpression: e.Text}, options, mode)
	case admissionregistration.UseApply:
		options.HasPatchTypes = true
		result = compiler.CompileCELExpression(&patch.ApplyConfigurationCondition{Expression: e.Text}, options, mode)
	case admissionregistration.UsePatch:
		options.HasPatchTypes = true
		result = compiler.CompileCELExpression(&patch.JSONPatchCondition{Expression: e.Text}, options, mode)
	}
	if result.Error == nil {
		return nil
	}
	return field.ErrorList{invalid(result.Error, e.Text, at)}
}

func invalid(err *cel.Error, text string, at *field.Path) *field.Error {
	switch err.Type {
	case cel.ErrorTypeRequired:
		return field.Required(at, err.Detail)
	case cel.ErrorTypeInvalid:
		return field.Invalid(at, text, err.Detail)
	case cel.ErrorTypeInternal:
		return field.InternalError(at, err)
	}
	return field.InternalError(at, errors.New("unsupported error type: "+err.Error()))
}

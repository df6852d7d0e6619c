// Package rule has the checks of single fields that kinds of several groups share.
package rule

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Invalid turns the messages of a library check of value into errors.
func Invalid(at *field.Path, value any, messages []string) (errs field.ErrorList) {
	for _, message := range messages {
		errs = append(errs, field.Invalid(at, value, message))
	}
	return errs
}

// Distinct leaves out errors that say the same as one before: a client sees each once, however often it was found. Those of rules
// that upstream declares on its types come last, as it finds them last: see Declared.
func Distinct(errs field.ErrorList) (distinct field.ErrorList) {
	errs = slices.Concat(errs.RemoveCoveredByDeclarative(), errs.ExtractCoveredByDeclarative())
	seen := map[string]bool{}
	for _, err := range errs {
		if text := err.Error(); !seen[text] {
			seen[text] = true
			distinct = append(distinct, err)
		}
	}
	return distinct
}

// Declared marks errors of rules that upstream declares on its types.
func Declared(errs ...*field.Error) field.ErrorList {
	return field.ErrorList(errs).MarkCoveredByDeclarative()
}

// NonNegative requires n >= 0.
func NonNegative[N ~int | ~int32 | ~int64](n N, at *field.Path) field.ErrorList {
	return apivalidation.ValidateNonnegativeField(int64(n), at)
}

// NonNegativeIfSet requires n >= 0, or no n.
func NonNegativeIfSet[N ~int | ~int32 | ~int64](n *N, at *field.Path) field.ErrorList {
	if n == nil {
		return nil
	}
	return NonNegative(*n, at)
}

// PositiveIfSet requires n > 0, or no n.
func PositiveIfSet[N ~int | ~int32 | ~int64](n *N, at *field.Path) field.ErrorList {
	if n == nil || *n > 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(at, *n, "must be greater than zero").WithOrigin("minimum")}
}

// OneOf requires one of the allowed values. An empty one is not supported either.
func OneOf[S ~string](value S, at *field.Path, allowed ...S) field.ErrorList {
	if slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, value, allowed)}
}

// RequiredOneOf is OneOf with an error of its own for no value.
func RequiredOneOf[S ~string](value S, at *field.Path, allowed ...S) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	return OneOf(value, at, allowed...)
}

// Immutable requires that an update leaves the field as it was.
func Immutable(value, old any, at *field.Path) field.ErrorList {
	return apivalidation.ValidateImmutableField(value, old, at)
}

// Fixed is Immutable without telling the value, as for the fields that upstream declares so in the API's types.
func Fixed(value, old any, at *field.Path) field.ErrorList {
	if len(Immutable(value, old, at)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(at, nil, apivalidation.FieldImmutableErrorMsg)}
}

// Selector checks the syntax of a label selector. Nil is allowed.
func Selector(s *metav1.LabelSelector, at *field.Path) field.ErrorList {
	return metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, at)
}

// DNSLabel requires an RFC 1123 label.
func DNSLabel(value string, at *field.Path) field.ErrorList {
	return Invalid(at, value, validation.IsDNS1123Label(value))
}

// DNSSubdomain requires an RFC 1123 subdomain.
func DNSSubdomain(value string, at *field.Path) field.ErrorList {
	return Invalid(at, value, validation.IsDNS1123Subdomain(value))
}

// QualifiedName requires a name like those of labels: prefix/name.
func QualifiedName(value string, at *field.Path) field.ErrorList {
	return Invalid(at, value, validation.IsQualifiedName(value))
}

// IntOrPercent requires a number that is not negative, or a percentage.
func IntOrPercent(value intstr.IntOrString, at *field.Path) field.ErrorList {
	switch value.Type {
	case intstr.String:
		return Invalid(at, value, validation.IsValidPercent(value.StrVal))
	case intstr.Int:
		return NonNegative(value.IntVal, at)
	}
	return field.ErrorList{field.Invalid(at, value, "must be an integer or percentage (e.g '5%%')")}
}

// AtMost100Percent refuses percentages above 100.
func AtMost100Percent(value intstr.IntOrString, at *field.Path) field.ErrorList {
	if value.Type == intstr.String && len(validation.IsValidPercent(value.StrVal)) == 0 && Amount(value) > 100 {
		return field.ErrorList{field.Invalid(at, value, "must not be greater than 100%")}
	}
	return nil
}

// Amount is the number, or the number in front of the percent sign; 0 for what is neither.
func Amount(value intstr.IntOrString) int {
	if value.Type == intstr.Int {
		return int(value.IntVal)
	}
	n, _ := strconv.Atoi(strings.TrimSuffix(value.StrVal, "%"))
	return n
}

// Decremented reports whether a counter went back, or vanished.
func Decremented(value, old *int32) bool {
	return old != nil && (value == nil || *value < *old)
}

// PathSegment requires a name that can stand between slashes of a URL.
func PathSegment(value string, at *field.Path) field.ErrorList {
	return Invalid(at, value, path.IsValidPathSegmentName(value))
}

// RequiredPathSegment is PathSegment with an error of its own for no value.
func RequiredPathSegment(value string, at *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	return PathSegment(value, at)
}

// NonNegativeQuantity requires q >= 0.
func NonNegativeQuantity(q resource.Quantity, at *field.Path) field.ErrorList {
	if q.Sign() < 0 {
		return field.ErrorList{field.Invalid(at, q.String(), apivalidation.IsNegativeErrorMsg)}
	}
	return nil
}

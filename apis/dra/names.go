package dra

import (
	"encoding/json"
	"fmt"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// validatePool requires subdomains, separated by slashes.
func validatePool(name string, at *field.Path) (errs field.ErrorList) {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	if len(name) > resourcev1.PoolNameMaxLength {
		errs = append(errs, field.TooLong(at, "", resourcev1.PoolNameMaxLength))
	}
	for part := range strings.SplitSeq(name, "/") {
		errs = append(errs, rule.DNSSubdomain(part, at)...)
	}
	return errs
}

// validateQualified requires a C identifier, perhaps with a domain in front.
func validateQualified(name string, at *field.Path) (errs field.ErrorList) {
	parts := strings.Split(name, "/")
	switch len(parts) {
	case 1:
		return validateIdentifier(parts[0], at)
	case 2:
		if parts[0] == "" {
			errs = append(errs, field.Invalid(at, "", "the domain must not be empty"))
		} else {
			errs = append(errs, rule.DriverName(parts[0], at)...)
		}
		if parts[1] == "" {
			return append(errs, field.Invalid(at, "", "the name must not be empty"))
		}
		return append(errs, validateIdentifier(parts[1], at)...)
	}
	return nil
}

func validateFullyQualified(name string, at *field.Path) field.ErrorList {
	errs := validateQualified(name, at)
	if !strings.Contains(name, "/") {
		errs = append(errs, field.Invalid(at, name, "a fully qualified name must be a domain and a name separated by a slash"))
	}
	return errs
}

func validateIdentifier(name string, at *field.Path) (errs field.ErrorList) {
	if len(name) > resourcev1.DeviceMaxIDLength {
		errs = append(errs, field.TooLong(at, "", resourcev1.DeviceMaxIDLength))
	}
	return append(errs, rule.Invalid(at, name, validation.IsCIdentifier(name))...)
}

// validateObject requires a JSON object. What was stored may be longer than allowed now.
func validateObject(data runtime.RawExtension, stored bool, most int, at *field.Path) field.ErrorList {
	if len(data.Raw) == 0 {
		return field.ErrorList{field.Required(at, "")}
	}
	if !stored && len(data.Raw) > most {
		return field.ErrorList{field.TooLong(at, "", most)}
	}
	var value any
	if err := json.Unmarshal(data.Raw, &value); err != nil {
		return field.ErrorList{field.Invalid(at, "<value omitted>", fmt.Sprintf("error parsing data as JSON: %v", err))}
	}
	switch value.(type) {
	case map[string]any:
		return nil
	case nil:
		return field.ErrorList{field.Required(at, "")}
	}
	return field.ErrorList{field.Invalid(at, "<value omitted>", "must be a valid JSON object")}
}

// requests are the names of requests in a claim, with those of their alternatives.
type requests map[string][]string

func requestsOf(c *resourcev1.DeviceClaim) requests {
	all := requests{}
	for i := range c.Requests {
		var alternatives []string
		for _, sub := range c.Requests[i].FirstAvailable {
			alternatives = append(alternatives, sub.Name)
		}
		all[c.Requests[i].Name] = alternatives
	}
	return all
}

func (r requests) validate(name *string, at *field.Path) (errs field.ErrorList) {
	const detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
	segments := strings.Split(*name, "/")
	if len(segments) > 2 {
		return field.ErrorList{field.Invalid(at, *name, detail)}
	}
	for _, segment := range segments {
		errs = append(errs, rule.DNSLabel(segment, at)...)
	}
	if !r.has(segments) {
		errs = append(errs, field.Invalid(at, *name, detail))
	}
	return errs
}

func (r requests) has(segments []string) bool {
	alternatives, ok := r[segments[0]]
	if !ok || len(segments) == 1 {
		return ok
	}
	for _, name := range alternatives {
		if name == segments[1] {
			return true
		}
	}
	return false
}

package rule

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// SignerName requires a name like example.com/signer-name.
func SignerName(name string, at *field.Path) (errs field.ErrorList) {
	const maxDomain, maxPath = validation.DNS1123SubdomainMaxLength, validation.DNS1123SubdomainMaxLength + validation.DNS1123LabelMaxLength + 1
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	domain, path, found := strings.Cut(name, "/")
	if !found || strings.Contains(path, "/") {
		return field.ErrorList{field.Invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	if len(domain) > maxDomain {
		errs = append(errs, field.TooLong(at, domain, maxDomain))
	}
	labels := func(part string, check func(string) []string) {
		for label := range strings.SplitSeq(part, ".") {
			for _, message := range check(label) {
				errs = append(errs, field.Invalid(at, part, fmt.Sprintf("validating label %q: %s", label, message)))
			}
		}
	}
	labels(domain, validation.IsDNS1123Label)
	if !strings.Contains(domain, ".") {
		errs = append(errs, field.Invalid(at, domain, "should be a domain with at least two segments separated by dots"))
	}
	labels(path, validation.IsDNS1123Subdomain)
	if most := maxDomain + maxPath + 1; len(name) > most {
		errs = append(errs, field.TooLong(at, name, most))
	}
	return errs
}

// DriverName requires the name of a driver: a domain, perhaps with capitals, that is not long.
func DriverName(name string, at *field.Path) field.ErrorList {
	return driverName(name, func(name string) []string { return validation.IsDNS1123Subdomain(strings.ToLower(name)) }, at)
}

// DriverNameOfAnyCase is DriverName for fields where upstream's message knows of capitals.
func DriverNameOfAnyCase(name string, at *field.Path) field.ErrorList {
	return driverName(name, content.IsDNS1123SubdomainCaseless, at)
}

func driverName(name string, problems func(string) []string, at *field.Path) (errs field.ErrorList) {
	const most = 63
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	if len(name) > most {
		errs = append(errs, field.TooLong(at, "", most))
	}
	return append(errs, Invalid(at, name, problems(name))...)
}

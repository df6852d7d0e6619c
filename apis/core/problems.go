package core

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// problems collects what is wrong with an object.
type problems struct{ list field.ErrorList }

func (p *problems) join(errs field.ErrorList) { p.list = append(p.list, errs...) }

func (p *problems) required(at *field.Path, why string) {
	p.list = append(p.list, field.Required(at, why))
}

// need requires a text, and reports whether there is one.
func (p *problems) need(at *field.Path, text string) bool {
	if text == "" {
		p.required(at, "")
	}
	return text != ""
}

// invalid reports each message as a problem with the value: none, if there are no messages.
func (p *problems) invalid(at *field.Path, value any, messages ...string) {
	for _, message := range messages {
		p.list = append(p.list, field.Invalid(at, value, message))
	}
}

func (p *problems) forbidden(at *field.Path, why string) {
	p.list = append(p.list, field.Forbidden(at, why))
}

func (p *problems) duplicate(at *field.Path, value any) {
	p.list = append(p.list, field.Duplicate(at, value))
}

// oneOf refuses values that are not among the allowed.
func oneOf[S ~string](p *problems, at *field.Path, value S, allowed ...S) {
	if !slices.Contains(allowed, value) {
		p.list = append(p.list, field.NotSupported(at, value, allowed))
	}
}

// requiredOneOf is oneOf with an error of its own for no value.
func requiredOneOf[S ~string](p *problems, at *field.Path, value S, allowed ...S) {
	if p.need(at, string(value)) {
		oneOf(p, at, value, allowed...)
	}
}

func (p *problems) label(at *field.Path, value string) {
	p.invalid(at, value, utilvalidation.IsDNS1123Label(value)...)
}

func (p *problems) subdomain(at *field.Path, value string) {
	p.invalid(at, value, utilvalidation.IsDNS1123Subdomain(value)...)
}

func (p *problems) qualifiedName(at *field.Path, value string) {
	p.invalid(at, value, utilvalidation.IsQualifiedName(value)...)
}

func (p *problems) labelName(at *field.Path, value string) {
	p.join(metav1validation.ValidateLabelName(value, at))
}

func (p *problems) notNegative(at *field.Path, value int64) {
	p.join(validation.ValidateNonnegativeField(value, at))
}

func (p *problems) portNumber(at *field.Path, port int32) {
	p.invalid(at, port, utilvalidation.IsValidPortNum(int(port))...)
}

// port checks a port's number or name.
func (p *problems) port(at *field.Path, port intstr.IntOrString) {
	if port.Type == intstr.Int {
		p.invalid(at, port.IntValue(), utilvalidation.IsValidPortNum(port.IntValue())...)
	} else {
		p.invalid(at, port.StrVal, utilvalidation.IsValidPortName(port.StrVal)...)
	}
}

// ip checks an address. One that was there before may be of a form that is refused now.
func (p *problems) ip(at *field.Path, value string, before []string) {
	p.join(utilvalidation.IsValidIPForLegacyField(at, value, true, before))
}

func (p *problems) cidr(at *field.Path, value string, before []string) {
	p.join(utilvalidation.IsValidCIDRForLegacyField(at, value, true, before))
}

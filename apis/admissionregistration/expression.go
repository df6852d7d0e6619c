package admissionregistration

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Use is what an expression is for: it decides what the expression sees and what it must yield.
type Use int

// The uses. Variables are seen by the expressions that are checked after them.
const (
	UseMatch Use = iota
	UseVariable
	UseValidation
	UseMessage
	UseAudit
	UseApply
	UsePatch
)

// Expression is one of a policy or a webhook.
type Expression struct {
	Use Use
	// Name of a variable.
	Name, Text string
	// Params says that the policy has parameters.
	Params bool
	// Stored expressions were accepted before, perhaps by an older or a newer server.
	Stored bool
}

// Checker compiles expressions of one object, in order. Errors are at at.
type Checker func(e Expression, at *field.Path) field.ErrorList

// stored are the expressions of the object that an update replaces.
type stored map[Use]map[string]bool

func (s stored) add(use Use, text string) {
	if s[use] == nil {
		s[use] = map[string]bool{}
	}
	s[use][text] = true
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

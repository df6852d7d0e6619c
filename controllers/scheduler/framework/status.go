package framework

import "strings"

// Code says what kind of no a Status is.
type Code int

const (
	// Failed means that the plugin could not decide; the attempt is repeated.
	Failed Code = iota
	// Unschedulable means that the pod does not fit, but would if other pods made room.
	Unschedulable
	// Unresolvable means that the pod does not fit, whatever other pods do.
	Unresolvable
	// Pending means that the pod must wait for something that has been set going.
	Pending
)

// Status is why a pod cannot go to a node, or to any. Nil is a yes.
type Status struct {
	Code    Code
	Plugin  string
	Reasons []string
	// Err is the cause when Code is Failed.
	Err error
}

// Reject returns a status with the given reasons. Statuses without
// variable parts are best made once, at package level of the plugin.
func Reject(code Code, reasons ...string) *Status { return &Status{Code: code, Reasons: reasons} }

// Fail returns the status of a plugin that could not decide.
func Fail(err error) *Status {
	return &Status{Code: Failed, Reasons: []string{err.Error()}, Err: err}
}

// By returns the status as one of the named plugin.
func (s *Status) By(plugin string) *Status {
	if s == nil || s.Plugin == plugin {
		return s
	}
	named := *s
	named.Plugin = plugin
	return &named
}

// String joins the reasons.
func (s *Status) String() string {
	if s == nil {
		return ""
	}
	return strings.Join(s.Reasons, ", ")
}

package core

import (
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateEvent checks an event that is created (old is nil) or updated. Strict is for the version of events.k8s.io, which
// leaves out older fields and lets an event change only by being repeated.
func ValidateEvent(e, old *corev1.Event, strict bool) field.ErrorList {
	var p problems
	reporter := "reportingComponent"
	if strict {
		reporter = "reportingController"
	}
	p.event(e, reporter)
	switch {
	case !strict:
	case old == nil:
		p.newEvent(e)
	default:
		p.repeatedEvent(e, old)
	}
	return p.list
}

// event checks what holds for events of any age.
func (p *problems) event(e *corev1.Event, reporter string) {
	about := e.InvolvedObject.Namespace
	elsewhere := func() {
		p.invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace")
	}
	if e.EventTime.IsZero() { // of the older form
		if about != e.Namespace && (about != "" || e.Namespace != metav1.NamespaceDefault) {
			elsewhere()
		}
	} else {
		if about == "" && e.Namespace != metav1.NamespaceDefault && e.Namespace != metav1.NamespaceSystem {
			elsewhere()
		}
		p.need(field.NewPath(reporter), e.ReportingController)
		p.qualifiedName(field.NewPath(reporter), e.ReportingController)
		p.shortText("reportingInstance", e.ReportingInstance, 128)
		p.shortText("action", e.Action, 128)
		p.shortText("reason", e.Reason, 128)
		if len(e.Message) > 1024 {
			p.invalid(field.NewPath("message"), "", fmt.Sprintf("can have at most %v characters", 1024))
		}
	}
}

func (p *problems) shortText(name, text string, most int) {
	p.need(field.NewPath(name), text)
	if len(text) > most {
		p.invalid(field.NewPath(name), "", fmt.Sprintf("can have at most %v characters", most))
	}
}

func (p *problems) newEvent(e *corev1.Event) {
	p.subdomainName(e)
	p.series(e)
	if e.EventTime.IsZero() {
		p.required(field.NewPath("eventTime"), "")
	}
	if e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning {
		p.invalid(field.NewPath("type"), "", fmt.Sprintf("has invalid value: %v", e.Type))
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"firstTimestamp", !e.FirstTimestamp.IsZero()}, {"lastTimestamp", !e.LastTimestamp.IsZero()},
		{"count", e.Count != 0}, {"source", e.Source != corev1.EventSource{}},
	} {
		if f.set {
			p.invalid(field.NewPath(f.name), "", "needs to be unset")
		}
	}
}

// subdomainName: names of the older version's events may be anything that fits into a path.
func (p *problems) subdomainName(e *corev1.Event) {
	if e.Name != "" {
		p.invalid(field.NewPath("metadata", "name"), e.Name, apivalidation.NameIsDNSSubdomain(e.Name, false)...)
	}
}

func (p *problems) series(e *corev1.Event) {
	if e.Series == nil {
		return
	}
	if e.Series.Count < 2 {
		p.invalid(field.NewPath("series.count"), "", "should be at least 2")
	}
	if e.Series.LastObservedTime.IsZero() {
		p.required(field.NewPath("series.lastObservedTime"), "")
	}
}

func (p *problems) repeatedEvent(e, old *corev1.Event) {
	if !reflect.DeepEqual(e.Series, old.Series) {
		p.series(e)
	}
	same := func(name string, is, was any) {
		p.join(apivalidation.ValidateImmutableField(is, was, field.NewPath(name)))
	}
	same("involvedObject", e.InvolvedObject, old.InvolvedObject)
	same("reason", e.Reason, old.Reason)
	same("message", e.Message, old.Message)
	same("source", e.Source, old.Source)
	same("firstTimestamp", e.FirstTimestamp, old.FirstTimestamp)
	same("lastTimestamp", e.LastTimestamp, old.LastTimestamp)
	same("count", e.Count, old.Count)
	same("reason", e.Reason, old.Reason)
	same("type", e.Type, old.Type)
	if is, was := e.EventTime.Truncate(time.Microsecond), old.EventTime.Truncate(time.Microsecond); !is.Equal(was) {
		same("eventTime", e.EventTime, old.EventTime)
	}
	same("action", e.Action, old.Action)
	same("related", e.Related, old.Related)
	same("reportingController", e.ReportingController, old.ReportingController)
	same("reportingInstance", e.ReportingInstance, old.ReportingInstance)
}

package core

import (
	"cmp"
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type event = corev1.Event

// Events are one kind in two groups, stored once, for an hour.
func events() *resource.Resource[*event] {
	return resource.Define(resource.Definition[*event]{
		Name: "events", Short: []string{"ev"}, Namespaced: true,
		NameRule: path.ValidatePathSegmentName,
		Also: []resource.Version{resource.In[*eventsv1.Event]{Labels: map[string]string{
			"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace",
			"regarding.kind": "involvedObject.kind", "regarding.namespace": "involvedObject.namespace",
			"regarding.name": "involvedObject.name", "regarding.uid": "involvedObject.uid",
			"regarding.apiVersion": "involvedObject.apiVersion", "regarding.resourceVersion": "involvedObject.resourceVersion",
			"regarding.fieldPath": "involvedObject.fieldPath",
			"reason":              "reason", "reportingController": "reportingComponent", "type": "type",
		}}},
		ValidateRequest: func(ctx context.Context, e, old *event) field.ErrorList {
			info, ok := request.RequestInfoFrom(ctx)
			return core.ValidateEvent(e, old, ok && info.APIGroup == eventsv1.GroupName)
		},
		TTL:            time.Hour,
		CreateOnUpdate: true,
		Dependents:     rest.Unsupported,
		Fields: []resource.Field[*event]{
			{Path: "involvedObject.kind", Value: func(e *event) string { return e.InvolvedObject.Kind }},
			{Path: "involvedObject.namespace", Value: func(e *event) string { return e.InvolvedObject.Namespace }},
			{Path: "involvedObject.name", Value: func(e *event) string { return e.InvolvedObject.Name }},
			{Path: "involvedObject.uid", Value: func(e *event) string { return string(e.InvolvedObject.UID) }},
			{Path: "involvedObject.apiVersion", Value: func(e *event) string { return e.InvolvedObject.APIVersion }},
			{Path: "involvedObject.resourceVersion", Value: func(e *event) string { return e.InvolvedObject.ResourceVersion }},
			{Path: "involvedObject.fieldPath", Value: func(e *event) string { return e.InvolvedObject.FieldPath }},
			{Path: "reason", Value: func(e *event) string { return e.Reason }},
			{Path: "reportingComponent", Value: func(e *event) string { return e.ReportingController }},
			{Path: "source", Value: func(e *event) string { return cmp.Or(e.Source.Component, e.ReportingController) }},
			{Path: "type", Value: func(e *event) string { return e.Type }},
		},
		Columns: eventColumns(),
	})
}

func eventColumns() []resource.Column[*event] {
	doc := event{}.SwaggerDoc()
	return []resource.Column[*event]{
		{Name: "Last Seen", Description: doc["lastTimestamp"], Cell: func(e *event) any { return resource.Age(lastSeen(e)) }},
		{Name: "Type", Description: doc["type"], Cell: func(e *event) any { return e.Type }},
		{Name: "Reason", Description: doc["reason"], Cell: func(e *event) any { return e.Reason }},
		{Name: "Object", Description: doc["involvedObject"], Cell: eventObject},
		{Name: "Subobject", Priority: 1, Description: corev1.ObjectReference{}.SwaggerDoc()["fieldPath"], Cell: func(e *event) any { return e.InvolvedObject.FieldPath }},
		{Name: "Source", Priority: 1, Description: doc["source"], Cell: eventSource},
		{Name: "Message", Description: doc["message"], Cell: func(e *event) any { return strings.TrimSpace(e.Message) }},
		{Name: "First Seen", Priority: 1, Description: doc["firstTimestamp"], Cell: func(e *event) any { return resource.Age(firstSeen(e)) }},
		{Name: "Count", Priority: 1, Description: doc["count"], Cell: eventCount},
		{Name: "Name", Priority: 1, Format: "name", Cell: func(e *event) any { return e.Name }},
	}
}

func eventObject(e *event) any {
	kind := strings.ToLower(e.InvolvedObject.Kind)
	if e.InvolvedObject.Name == "" {
		return kind
	}
	return kind + "/" + e.InvolvedObject.Name
}

func eventSource(e *event) any {
	component, instance := cmp.Or(e.Source.Component, e.ReportingController), cmp.Or(e.Source.Host, e.ReportingInstance)
	if instance == "" {
		return component
	}
	return component + ", " + instance
}

// eventCount counts an event that does not count itself once.
func eventCount(e *event) any {
	switch {
	case e.Series != nil:
		return int64(e.Series.Count)
	case e.Count == 0:
		return int64(1)
	}
	return int64(e.Count)
}

func firstSeen(e *event) time.Time {
	if e.FirstTimestamp.IsZero() {
		return e.EventTime.Time
	}
	return e.FirstTimestamp.Time
}

func lastSeen(e *event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return firstSeen(e)
}

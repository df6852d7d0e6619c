package core

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/coracle-k8s/coracle/guard"
)

type componentStatus = corev1.ComponentStatus

// componentStatuses are made when they are read, by asking the components.
type componentStatuses struct {
	checks map[string]func(context.Context) error
}

func newComponentStatuses(checks map[string]func(context.Context) error) *componentStatuses {
	return &componentStatuses{checks}
}

func (s *componentStatuses) New() runtime.Object     { return &componentStatus{} }
func (s *componentStatuses) NewList() runtime.Object { return &corev1.ComponentStatusList{} }
func (s *componentStatuses) Destroy()                {}
func (s *componentStatuses) NamespaceScoped() bool   { return false }
func (s *componentStatuses) GetSingularName() string { return "componentstatus" }
func (s *componentStatuses) ShortNames() []string    { return []string{"cs"} }

func (s *componentStatuses) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	check, ok := s.checks[name]
	if !ok {
		return nil, errors.NewNotFound(corev1.Resource("componentstatus"), name)
	}
	status := statusOf(name, check(ctx))
	return &status, nil
}

func (s *componentStatuses) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	all := make([]componentStatus, len(s.checks))
	var asked guard.Group
	for i, name := range slices.Sorted(maps.Keys(s.checks)) {
		asked.GoThen("component status", func() error { return s.checks[name](ctx) }, func(err error) { all[i] = statusOf(name, err) })
	}
	asked.Wait()
	return &corev1.ComponentStatusList{Items: slices.DeleteFunc(all, func(c componentStatus) bool { return !selected(&c, options) })}, nil
}

func selected(c *componentStatus, o *internalversion.ListOptions) bool {
	if o == nil {
		return true
	}
	return (o.LabelSelector == nil || o.LabelSelector.Matches(labels.Set(c.Labels))) &&
		(o.FieldSelector == nil || o.FieldSelector.Matches(fields.Set{"metadata.name": c.Name, "metadata.namespace": ""}))
}

// statusOf is a component's status by what its check returned.
func statusOf(name string, err error) componentStatus {
	healthy := corev1.ComponentCondition{Type: corev1.ComponentHealthy, Status: corev1.ConditionTrue, Message: "ok"}
	if err != nil {
		healthy.Status, healthy.Message, healthy.Error = corev1.ConditionFalse, "", err.Error()
	}
	return componentStatus{ObjectMeta: metav1.ObjectMeta{Name: name}, Conditions: []corev1.ComponentCondition{healthy}}
}

func (s *componentStatuses) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	t := &metav1.Table{}
	add := func(c *componentStatus) {
		status, message, problem := "Unknown", "", ""
		if i := slices.IndexFunc(c.Conditions, func(c corev1.ComponentCondition) bool { return c.Type == corev1.ComponentHealthy }); i >= 0 {
			if status = "Unhealthy"; c.Conditions[i].Status == corev1.ConditionTrue {
				status = "Healthy"
			}
			message, problem = c.Conditions[i].Message, c.Conditions[i].Error
		}
		t.Rows = append(t.Rows, metav1.TableRow{Object: runtime.RawExtension{Object: c}, Cells: []any{c.Name, status, message, problem}})
	}
	if one, ok := obj.(*componentStatus); ok {
		add(one)
	} else if err := meta.EachListItem(obj, func(item runtime.Object) error { add(item.(*componentStatus)); return nil }); err != nil {
		return nil, err
	}
	if o, ok := options.(*metav1.TableOptions); !ok || !o.NoHeaders {
		t.ColumnDefinitions = []metav1.TableColumnDefinition{
			{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
			{Name: "Status", Type: "string", Description: "Status of the component conditions"},
			{Name: "Message", Type: "string", Description: "Message of the component conditions"},
			{Name: "Error", Type: "string", Description: "Error of the component conditions"},
		}
	}
	return t, nil
}

package core

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

func checkBinding(_ context.Context, _ *resource.Resource[*pod], name string, b *corev1.Binding) error {
	if b.Name != name {
		return errors.NewBadRequest("name in URL does not match name in Binding object")
	}
	if errs := core.ValidateBinding(b); len(errs) > 0 {
		return errs.ToAggregate()
	}
	return nil
}

// bind assigns a pod to a node, once and for all.
func bind(ctx context.Context, pods *resource.Resource[*pod], name string, b *corev1.Binding, options *metav1.CreateOptions) (runtime.Object, error) {
	_, err := pods.Modify(ctx, name, dryrun.IsDryRun(options.DryRun), func(p *pod) error {
		if err := bindable(p, b); err != nil {
			return errors.NewConflict(corev1.Resource("pods/binding"), name, err)
		}
		p.Spec.NodeName, p.Status.NominatedNodeName = b.Target.Name, ""
		p.Annotations, p.Labels = merged(p.Annotations, b.Annotations), merged(p.Labels, b.Labels)
		core.SetPodCondition(&p.Status, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, metav1.Now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}

func bindable(p *pod, b *corev1.Binding) error {
	switch {
	case b.UID != "" && b.UID != p.UID:
		return fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", b.UID, p.UID)
	case b.ResourceVersion != "" && b.ResourceVersion != p.ResourceVersion:
		return fmt.Errorf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", b.ResourceVersion, p.ResourceVersion)
	case p.DeletionTimestamp != nil:
		return fmt.Errorf("pod %s is being deleted, cannot be assigned to a host", p.Name)
	case p.Spec.NodeName != "":
		return fmt.Errorf("pod %v is already assigned to node %q", p.Name, p.Spec.NodeName)
	case len(p.Spec.SchedulingGates) > 0:
		return fmt.Errorf("pod %v has non-empty .spec.schedulingGates", p.Name)
	}
	return nil
}

// merged is base with more in it, more winning. It may change base.
func merged(base, more map[string]string) map[string]string {
	if base == nil && len(more) > 0 {
		base = make(map[string]string, len(more))
	}
	for k, v := range more {
		base[k] = v
	}
	return base
}

// bindings is the older way to bind a pod: a resource of its own that can only be created.
type bindings struct{ pods *resource.Resource[*pod] }

func newBindings(pods *resource.Resource[*pod]) *bindings { return &bindings{pods} }

func (b *bindings) New() runtime.Object     { return &corev1.Binding{} }
func (b *bindings) Destroy()                {}
func (b *bindings) NamespaceScoped() bool   { return true }
func (b *bindings) GetSingularName() string { return "binding" }

func (b *bindings) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	in := obj.(*corev1.Binding)
	if err := checkBinding(ctx, b.pods, in.Name, in); err != nil {
		return nil, err
	}
	if validate != nil {
		if err := validate(ctx, in.DeepCopy()); err != nil {
			return nil, err
		}
	}
	return bind(ctx, b.pods, in.Name, in, options)
}

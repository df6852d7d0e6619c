package main

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func (p *program) discover(context.Context) error {
	_, resources, err := p.typed.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if _, err := p.typed.Discovery().OpenAPISchema(); err != nil {
		return err
	}
	documents, err := p.typed.Discovery().OpenAPIV3().Paths()
	return errors.Join(err, expect(len(resources) > 20 && len(documents) > 20, "more than %d versions, %d documents", len(resources), len(documents)))
}

func deployment() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:v1"}}},
			},
		},
	}
}

// deploy creates, reads, updates, patches, applies, scales and deletes.
func (p *program) deploy(ctx context.Context) error {
	all := p.typed.AppsV1().Deployments(p.namespace)
	made, err := all.Create(ctx, deployment(), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := expect(*made.Spec.Replicas == 1 && made.Spec.Template.Spec.RestartPolicy == corev1.RestartPolicyAlways, "defaults: %v", made.Spec); err != nil {
		return err
	}
	stale := made.DeepCopy()
	made.Spec.Replicas = new(int32)
	if made, err = all.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if _, err := all.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("updating what has changed: %w", err)
	}
	for kind, patch := range map[types.PatchType]string{
		types.StrategicMergePatchType: `{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"b"}]}]}}}}`,
		types.MergePatchType:          `{"metadata":{"labels":{"a":"b"}}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}]`,
	} {
		if _, err := all.Patch(ctx, "web", kind, []byte(patch), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	wanted := applyapps.Deployment("web", p.namespace).WithSpec(applyapps.DeploymentSpec().WithMinReadySeconds(7))
	if made, err = all.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "old"}); err != nil {
		return err
	}
	got := made.Spec
	if err := expect(*got.Replicas == 0 && got.MinReadySeconds == 7 && len(got.Template.Spec.Containers[0].Env) == 1 && made.Labels["a"] == "b" &&
		made.Annotations["a"] == "b", "all changes: %v", made); err != nil {
		return err
	}
	scale, err := all.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	scale.Spec.Replicas = 2
	if _, err := all.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := all.Delete(ctx, "web", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(made.UID))}); err != nil {
		return err
	}
	if _, err = all.Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("after its deletion: %w", err)
	}
	return nil
}

// page lists a few objects at a time.
func (p *program) page(ctx context.Context) error {
	all := p.typed.CoreV1().ConfigMaps(p.namespace)
	for i := range 25 {
		if _, err := all.Create(ctx, configMap(fmt.Sprintf("page-%02d", i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	options := metav1.ListOptions{LabelSelector: "made=here", Limit: 10}
	for count := 0; ; {
		list, err := all.List(ctx, options)
		if err != nil {
			return err
		}
		count += len(list.Items)
		if options.Continue = list.Continue; options.Continue == "" {
			return expect(count == 25, "25 objects in pages, not %d", count)
		}
	}
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"made": "here"}}, Data: map[string]string{"a": "b"}}
}

func (p *program) untypedLife(ctx context.Context) error {
	all := p.untyped.Resource(configMaps).Namespace(p.namespace)
	made, err := all.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "untyped"}, "data": map[string]any{"a": "b"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(made.Object, "c", "data", "a"); err != nil {
		return err
	}
	if _, err := all.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return all.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}

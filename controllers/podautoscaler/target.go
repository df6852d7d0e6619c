package podautoscaler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// podsOf gives the Pods that the target's selector selects, without those that another workload is known to own: labels overlap more
// easily than people think. The failure's what is the Event's reason.
func (r *controller) podsOf(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler, scale *autoscalingv1.Scale) ([]*corev1.Pod, *failure) {
	text := scale.Status.Selector
	if text == "" {
		return nil, &failure{"InvalidSelector", "SelectorRequired", errors.New("the HPA target's scale is missing a selector")}
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, &failure{"InvalidSelector", "InvalidSelector", fmt.Errorf("couldn't convert selector into a corresponding internal selector object: %w", err)}
	}
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(a.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, &failure{"FailedGetPods", "FailedGetPods", err}
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		if r.mayOwn(ctx, a, &list.Items[i]) {
			pods = append(pods, &list.Items[i])
		}
	}
	if others := r.alsoScaledBy(a, pods); len(others) > 0 {
		err := fmt.Errorf("pods by selector %s are controlled by more than one HPA (e.g. [%s])", text, strings.Join(others[:min(len(others), 2)], " "))
		return nil, &failure{"AmbiguousSelector", "AmbiguousSelector", err}
	}
	return pods, nil
}

// mayOwn reports whether the Pod may be of a's target: it is not if its controller, or that one's, is another object of the target's
// kind. Of Pods without a controller, and of kinds that nobody knows here, the selector alone decides.
func (r *controller) mayOwn(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler, pod *corev1.Pod) bool {
	target := a.Spec.ScaleTargetRef
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind == target.Kind && group(owner.APIVersion) == group(target.APIVersion) {
		return owner == nil || owner.Name == target.Name
	}
	if owner.Kind != "ReplicaSet" || target.Kind != "Deployment" || group(target.APIVersion) != appsv1.GroupName {
		return true
	}
	var set appsv1.ReplicaSet
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: owner.Name}, &set); err != nil {
		return apierrors.IsNotFound(err)
	}
	deployment := metav1.GetControllerOfNoCopy(&set)
	return deployment != nil && deployment.Name == target.Name
}

func group(apiVersion string) string { return schema.FromAPIVersionAndKind(apiVersion, "").Group }

// alsoScaledBy names a and all others whose targets select one of the Pods; none if there are no others.
func (r *controller) alsoScaledBy(a *autoscalingv2.HorizontalPodAutoscaler, pods []*corev1.Pod) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	self := client.ObjectKeyFromObject(a)
	var others []string
	for key, m := range r.past {
		if key.Namespace != self.Namespace || key == self {
			continue
		}
		selector, err := labels.Parse(m.selector)
		if err != nil || selector.Empty() {
			continue
		}
		if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return selector.Matches(labels.Set(p.Labels)) }) {
			others = append(others, key.String())
		}
	}
	if len(others) == 0 {
		return nil
	}
	others = append(others, self.String())
	slices.Sort(others)
	return others
}

// rescale writes the target's replicas, whatever else has been written meanwhile.
func (r *controller) rescale(ctx context.Context, a *autoscalingv2.HorizontalPodAutoscaler, scale *autoscalingv1.Scale, resource Resource, replicas int32) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		scale.Spec.Replicas = replicas
		err := r.scales.Update(ctx, resource, scale)
		if apierrors.IsConflict(err) {
			if latest, _, failure := r.scales.Get(ctx, a.Namespace, a.Spec.ScaleTargetRef); failure == nil {
				scale = latest
			}
		}
		return err
	})
}

package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/await"
)

const namespace = "chaos"

// load is what clients have done, and what of it the API has acknowledged.
type load struct {
	mu sync.Mutex
	// made are the objects that were acknowledged to be there, gone those that were acknowledged to be deleted: "kind/name".
	// What was asked for without an answer is in neither.
	made, gone map[string]bool
	failed     int
}

// use makes objects and deletes some, as one of several clients, until ctx ends.
func (l *load) use(ctx context.Context, client kubernetes.Interface, who int, random *rand.Rand) {
	var mine []string
	for i := 0; ctx.Err() == nil; i++ {
		kind := []string{"configmap", "configmap", "pod", "deployment", "job"}[random.IntN(5)]
		name := fmt.Sprintf("%s-%d-%d", kind, who, i)
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := l.create(asking, client, kind, name); err == nil {
			mine = append(mine, kind+"/"+name)
		}
		if len(mine) > 8 {
			at := random.IntN(len(mine))
			l.delete(asking, client, mine[at])
			mine = slices.Delete(mine, at, at+1)
		}
		cancel()
		wait(ctx, time.Duration(random.IntN(2000))*time.Millisecond)
	}
}

func (l *load) create(ctx context.Context, client kubernetes.Interface, kind, name string) (err error) {
	m, o := metav1.ObjectMeta{Name: name, Namespace: namespace}, metav1.CreateOptions{}
	switch kind {
	case "configmap":
		_, err = client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: m, Data: map[string]string{"name": name}}, o)
	case "pod":
		_, err = client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: m, Spec: serves(name).Spec}, o)
	case "deployment":
		template := serves(name)
		_, err = client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: m, Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		}}, o)
	case "job":
		template := serves(name)
		template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
		template.Spec.Containers[0].Command = []string{"sh", "-c", "echo done"}
		_, err = client.BatchV1().Jobs(namespace).Create(ctx, &batchv1.Job{ObjectMeta: m, Spec: batchv1.JobSpec{
			Completions: ptr.To[int32](2), BackoffLimit: ptr.To[int32](100), Template: template,
		}}, o)
	}
	l.note(kind+"/"+name, err, true)
	return err
}

// serves is a Pod that serves the web and ends when it is told to.
func serves(app string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers:                    []corev1.Container{{Name: "web", Image: "web:v1", ImagePullPolicy: corev1.PullNever}},
		},
	}
}

func (l *load) delete(ctx context.Context, client kubernetes.Interface, what string) {
	kind, name := split(what)
	o := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
	var err error
	switch kind {
	case "configmap":
		err = client.CoreV1().ConfigMaps(namespace).Delete(ctx, name, o)
	case "pod":
		err = client.CoreV1().Pods(namespace).Delete(ctx, name, o)
	case "deployment":
		err = client.AppsV1().Deployments(namespace).Delete(ctx, name, o)
	case "job":
		err = client.BatchV1().Jobs(namespace).Delete(ctx, name, o)
	}
	l.note(what, err, false)
}

// note takes down what an answer acknowledges. A deletion without an answer may have happened, or not.
func (l *load) note(what string, err error, made bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && made:
		l.made[what] = true
	case err == nil:
		delete(l.made, what)
		l.gone[what] = true
	default:
		l.failed++
		if !made {
			delete(l.made, what)
		}
	}
}

func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d objects were made and stay, %d were deleted, %d requests failed", len(l.made), len(l.gone), l.failed)
}

// check finds what was acknowledged: objects are there, deleted ones are not.
func (l *load) check(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(l.made)) {
		if err := find(t, client, what); err != nil {
			t.Errorf("%s was acknowledged: %v", what, err)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(l.gone)) {
		await.Until(t, what+" went, whose deletion was acknowledged", func() bool { return missing(find(t, client, what)) })
	}
}

func find(t *testing.T, client kubernetes.Interface, what string) (err error) {
	kind, name := split(what)
	switch o := (metav1.GetOptions{}); kind {
	case "configmap":
		var c *corev1.ConfigMap
		if c, err = client.CoreV1().ConfigMaps(namespace).Get(t.Context(), name, o); err == nil && c.Data["name"] != name {
			err = fmt.Errorf("it holds %v", c.Data)
		}
	case "pod":
		_, err = client.CoreV1().Pods(namespace).Get(t.Context(), name, o)
	case "deployment":
		_, err = client.AppsV1().Deployments(namespace).Get(t.Context(), name, o)
	case "job":
		_, err = client.BatchV1().Jobs(namespace).Get(t.Context(), name, o)
	}
	return err
}

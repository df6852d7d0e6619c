package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/cmd/cluster"
	"github.com/coracle-k8s/coracle/e2e/faults"
)

// ends are works whose panic ends the cluster, in order and with the reason: whoever runs it starts it again.
var ends = []string{"cluster", "API server"}

// Everything that runs panics the first time that it begins, and again while the cluster is in use.
func TestEverythingMayPanicOnce(t *testing.T) {
	f := faults.Inject(t, ends...)
	f.All()
	_, client := start(t, cluster.Options{})
	node(t, client)
	works(t, client, "first")
	began := f.Panicked()
	t.Logf("%d works panicked as they began: %q", len(began), began)
	if len(began) < 30 {
		t.Errorf("only %d works panicked: %q", len(began), began)
	}

	stop := use(t, client)
	recurring := f.Recurring(t, time.Second)
	if len(recurring) == 0 {
		t.Error("nothing began again while the cluster was in use")
	}
	slowest := time.Duration(0)
	for _, work := range recurring {
		f.Arm(work)
		for !f.Spent(t, work) {
			slowest = max(slowest, answers(t, client, work))
		}
	}
	stop()
	t.Logf("%d works panicked in turn, the slowest answer took %s: %q", len(recurring), slowest, recurring)
	if slowest > 20*time.Second {
		t.Errorf("the API did not answer for %s", slowest)
	}
	works(t, client, "second")
	f.Counted(t)
}

// The same for one work at a time: where several fail together, one that is begun again may bring another one along.
func TestEachWorkMayPanicAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: a cluster for each work")
	}
	f := faults.Inject(t, ends...)
	c, client := start(t, cluster.Options{})
	node(t, client)
	works(t, client, "all")
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, work := range f.Works() {
		t.Run(work, func(t *testing.T) {
			f.Arm(work)
			defer f.Disarm()
			_, client := start(t, cluster.Options{})
			node(t, client)
			works(t, client, "one")
		})
	}
}

func TestAPanicOfTheWholeClusterIsItsEnd(t *testing.T) {
	for _, work := range ends {
		t.Run(work, func(t *testing.T) {
			f := faults.Inject(t)
			f.Arm(work)
			c, err := cluster.Start(await.Context(t, "the cluster's end was told"), cluster.Options{
				ControlPlaneOnly: true, HTTPSPort: -1, BindAddress: "127.0.0.1", DataDir: t.TempDir(),
			})
			if err == nil {
				err = c.Wait()
			}
			if err == nil || !strings.Contains(err.Error(), "injected") {
				t.Errorf("the cluster ended with %v", err)
			}
		})
	}
}

// answers returns how long it took until an object was written and read. A request that runs into a panic may fail: it is sent again.
func answers(t *testing.T, client kubernetes.Interface, while string) time.Duration {
	t.Helper()
	began, all := time.Now(), client.CoreV1().ConfigMaps("default")
	await.Until(t, "the API answered while "+while+" panicked", func() bool {
		made, err := all.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "asked-"}}, metav1.CreateOptions{})
		if err == nil {
			_, err = all.Get(t.Context(), made.Name, metav1.GetOptions{})
		}
		return err == nil
	})
	return time.Since(began)
}

// use is what some clients do until stop is called: their requests may fail.
func use(t *testing.T, client kubernetes.Interface) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 3 {
		clients.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				name := fmt.Sprintf("used-%d-%d", i, round)
				background := metav1.DeletePropagationBackground
				_, _ = client.AppsV1().Deployments("default").Create(ctx, deployment(name), metav1.CreateOptions{})
				_, _ = client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
				_ = client.AppsV1().Deployments("default").Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
				select {
				case <-time.After(50 * time.Millisecond): // two processors for all
				case <-ctx.Done():
				}
			}
		})
	}
	return func() { cancel(); clients.Wait() }
}

// node makes a Node on which Pods can be placed. Nothing runs there.
func node(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	nodes := client.CoreV1().Nodes()
	if _, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "nowhere"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("10000")}
	await.Until(t, "the node was ready", func() bool { // controllers write it too
		n, err := nodes.Get(t.Context(), "nowhere", metav1.GetOptions{})
		if err != nil {
			return false
		}
		n.Status.Capacity, n.Status.Allocatable = room, room
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
		_, err = nodes.UpdateStatus(t.Context(), n, metav1.UpdateOptions{})
		return err == nil
	})
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				Containers:  []corev1.Container{{Name: "c", Image: "i"}},
				Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, // the node has no network
			},
		},
	}}
}

// works checks in a namespace of its own that the parts of a control plane do what they are there for.
func works(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	await.Until(t, "a namespace was made", func() bool {
		_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err)
	})
	for what, check := range map[string]func(*testing.T, kubernetes.Interface, string){
		"tokens": givesTokens, "custom resources": servesCustomResources, "rollout, endpoints, collection": rollsOut, "quotas": countsQuotas,
	} {
		t.Run(what, func(t *testing.T) {
			check(t, client, name)
		})
	}
	if err := client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	await.Until(t, "a namespace was finalised", func() bool {
		_, err := client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func givesTokens(t *testing.T, client kubernetes.Interface, namespace string) {
	await.Until(t, "the namespace's account got a token", func() bool {
		_, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		return err == nil
	})
	await.Until(t, "the authority's certificate was published", func() bool {
		_, err := client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{})
		return err == nil
	})
}

func servesCustomResources(t *testing.T, client kubernetes.Interface, namespace string) {
	group := namespace + ".example.com"
	body := fmt.Appendf(nil, `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"things.%s"},"spec":{"group":"%s",
		"scope":"Namespaced","names":{"plural":"things","singular":"thing","kind":"Thing","listKind":"ThingList"},
		"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`, group, group)
	rest := client.Discovery().RESTClient()
	if err := rest.Post().AbsPath("/apis/" + apiextensionsv1.SchemeGroupVersion.String() + "/customresourcedefinitions").Body(body).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the custom resource's API service was registered", func() bool {
		return rest.Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1."+group).Do(t.Context()).Error() == nil
	})
	things := "/apis/" + group + "/v1/namespaces/" + namespace + "/things"
	thing := fmt.Appendf(nil, `{"apiVersion":"%s/v1","kind":"Thing","metadata":{"name":"one"}}`, group)
	await.Until(t, "a custom resource was made", func() bool { return rest.Post().AbsPath(things).Body(thing).Do(t.Context()).Error() == nil })
	if err := rest.Delete().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things." + group).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the API service went with its definition", func() bool {
		return apierrors.IsNotFound(rest.Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1." + group).Do(t.Context()).Error())
	})
}

func rollsOut(t *testing.T, client kubernetes.Interface, namespace string) {
	const name = "web"
	deployments, pods := client.AppsV1().Deployments(namespace), client.CoreV1().Pods(namespace)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}, PublishNotReadyAddresses: true,
	}}
	if _, err := client.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Create(t.Context(), deployment(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the Deployment's Pod was placed on the node", func() bool {
		all, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		return err == nil && len(all.Items) == 1 && all.Items[0].Spec.NodeName == "nowhere" && has(t, client, &all.Items[0])
	})
	if _, err := deployments.Patch(t.Context(), name, types.StrategicMergePatchType, []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"j"}]}}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the Deployment rolled on", func() bool {
		all, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		return err == nil && slices.ContainsFunc(all.Items, func(p corev1.Pod) bool { return p.Spec.Containers[0].Image == "j" })
	})
	background := metav1.DeletePropagationBackground
	if err := deployments.Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the Deployment's ReplicaSets and Pods were collected", func() bool {
		sets, err := client.AppsV1().ReplicaSets(namespace).List(t.Context(), metav1.ListOptions{})
		all, failure := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil || failure != nil || len(sets.Items) > 0 {
			return false
		}
		for _, p := range all.Items { // whom no kubelet ends
			if p.DeletionTimestamp == nil {
				return false
			}
			now := int64(0)
			_ = pods.Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		}
		return len(all.Items) == 0
	})
}

// has gives a Pod an address, as its kubelet would, and tells whether its Service knows that.
func has(t *testing.T, client kubernetes.Interface, p *corev1.Pod) bool {
	t.Helper()
	if p.Status.PodIP == "" {
		p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, "10.244.0.9", []corev1.PodIP{{IP: "10.244.0.9"}}
		_, _ = client.CoreV1().Pods(p.Namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{}) // or the next time
		return false
	}
	slices, err := client.DiscoveryV1().EndpointSlices(p.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=web"})
	return err == nil && len(slices.Items) == 1 && len(slices.Items[0].Endpoints) == 1
}

func countsQuotas(t *testing.T, client kubernetes.Interface, namespace string) {
	quotas := client.CoreV1().ResourceQuotas(namespace)
	secrets := corev1.ResourceName("count/secrets")
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{secrets: resource.MustParse("1")}}}
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	used := func(what string, count int64) {
		t.Helper()
		await.Until(t, what, func() bool {
			q, err := quotas.Get(t.Context(), "few", metav1.GetOptions{})
			if err != nil {
				return false
			}
			is, counted := q.Status.Used[secrets]
			return counted && is.Value() == count
		})
	}
	used("an empty quota was counted", 0)
	all := client.CoreV1().Secrets(namespace)
	await.Until(t, "a secret was let in", func() bool {
		_, err := all.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
		return err == nil
	})
	used("a full quota was counted", 1)
	if err := all.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	used("what is gone was given back", 0)
}

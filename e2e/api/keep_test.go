package api

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/ptr"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
	"github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// within says when something is back: that takes some 10 s at most, but here others use the processors, too.
func within(t *testing.T, what string, is func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !is(ctx) {
		select {
		case <-ctx.Done():
			t.Errorf("%s is not back in a minute", what)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What every cluster must have comes back by itself.
func TestWhatEveryClusterHasComesBack(t *testing.T) {
	r := apitest.Start(t)
	ctx, client := apitest.Context(t), r.Client(t)
	none := metav1.DeleteOptions{}
	rbac, fair := client.RbacV1(), client.FlowcontrolV1()

	must(t, client.CoreV1().Services("default").Delete(ctx, "kubernetes", none))
	within(t, "Service kubernetes", func(ctx context.Context) bool {
		s, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		return err == nil && s.Spec.ClusterIP == "10.96.0.1"
	})
	within(t, "what it leads to", func(ctx context.Context) bool { return leadsTo(ctx, client) == "192.0.2.1" })
	slices := client.DiscoveryV1().EndpointSlices("default")
	must(t, slices.Delete(ctx, "kubernetes", none))
	must(t, client.CoreV1().Endpoints("default").Delete(ctx, "kubernetes", none)) //nolint:staticcheck // they are still there
	within(t, "what it leads to", func(ctx context.Context) bool { return leadsTo(ctx, client) == "192.0.2.1" })
	s, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	must(t, err)
	s.Spec.Ports[0].Port = 444
	_, err = client.CoreV1().Services("default").Update(ctx, s, metav1.UpdateOptions{})
	must(t, err)
	within(t, "its port", func(ctx context.Context) bool {
		s, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		return err == nil && s.Spec.Ports[0].Port == 443
	})

	must(t, rbac.ClusterRoles().Delete(ctx, "system:node-proxier", none))
	must(t, rbac.ClusterRoleBindings().Delete(ctx, "cluster-admin", none))
	within(t, "a role and a binding", func(ctx context.Context) bool {
		_, role := rbac.ClusterRoles().Get(ctx, "system:node-proxier", metav1.GetOptions{})
		_, binding := rbac.ClusterRoleBindings().Get(ctx, "cluster-admin", metav1.GetOptions{})
		return role == nil && binding == nil
	})

	must(t, fair.FlowSchemas().Delete(ctx, "catch-all", none))
	must(t, fair.PriorityLevelConfigurations().Delete(ctx, "workload-low", none))
	within(t, "priority and fairness", func(ctx context.Context) bool {
		_, mandatory := fair.FlowSchemas().Get(ctx, "catch-all", metav1.GetOptions{})
		_, suggested := fair.PriorityLevelConfigurations().Get(ctx, "workload-low", metav1.GetOptions{})
		return mandatory == nil && suggested == nil
	})
	namespaces := client.CoreV1().Namespaces()
	must(t, namespaces.Delete(ctx, "kube-node-lease", none))
	ending, err := namespaces.Get(ctx, "kube-node-lease", metav1.GetOptions{})
	must(t, err)
	ending.Spec.Finalizers = nil // as the namespace controller does
	_, err = namespaces.Finalize(ctx, ending, metav1.UpdateOptions{})
	must(t, err)
	within(t, "a namespace", func(ctx context.Context) bool {
		n, err := namespaces.Get(ctx, "kube-node-lease", metav1.GetOptions{})
		return err == nil && n.UID != ending.UID && n.DeletionTimestamp == nil
	})
}

// leadsTo is where Service kubernetes leads to, if its two kinds of endpoints agree.
func leadsTo(ctx context.Context, client kubernetes.Interface) string {
	slice, err := client.DiscoveryV1().EndpointSlices("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil || len(slice.Endpoints) != 1 {
		return ""
	}
	endpoints, err := client.CoreV1().Endpoints("default").Get(ctx, "kubernetes", metav1.GetOptions{}) //nolint:staticcheck // they are still there
	if err != nil || len(endpoints.Subsets) != 1 || endpoints.Subsets[0].Addresses[0].IP != slice.Endpoints[0].Addresses[0] {
		return ""
	}
	return slice.Endpoints[0].Addresses[0]
}

// Suggested configuration that somebody has taken over stays as it is, and what an older version has suggested goes.
func TestPriorityAndFairnessIsKeptUnlessTakenOver(t *testing.T) {
	r := apitest.Start(t)
	ctx, fair := apitest.Context(t), r.Client(t).FlowcontrolV1()
	mark := func(value string) map[string]string {
		return map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: value}
	}
	change := func(name, auto string) {
		t.Helper()
		must(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error { // others write its status meanwhile
			schema, err := fair.FlowSchemas().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			schema.Annotations, schema.Spec.MatchingPrecedence = mark(auto), 7777
			_, err = fair.FlowSchemas().Update(ctx, schema, metav1.UpdateOptions{})
			return err
		}))
	}
	change("service-accounts", "false")
	change("global-default", "true")
	old := &flowcontrolv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: "of-an-older-version", Annotations: mark("true")},
		Spec: flowcontrolv1.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: "global-default"}, MatchingPrecedence: 6666,
		},
	}
	_, err := fair.FlowSchemas().Create(ctx, old, metav1.CreateOptions{})
	must(t, err)
	within(t, "what is suggested", func(ctx context.Context) bool {
		schema, err := fair.FlowSchemas().Get(ctx, "global-default", metav1.GetOptions{})
		_, gone := fair.FlowSchemas().Get(ctx, old.Name, metav1.GetOptions{})
		return err == nil && schema.Spec.MatchingPrecedence != 7777 && apierrors.IsNotFound(gone)
	})
	schema, err := fair.FlowSchemas().Get(ctx, "service-accounts", metav1.GetOptions{})
	if err != nil || schema.Spec.MatchingPrecedence != 7777 {
		t.Errorf("what was taken over: %v, %v", schema.Spec.MatchingPrecedence, err)
	}
}

// remove deletes keys of a server that does not run.
func remove(t *testing.T, dir string, keys ...string) {
	t.Helper()
	b, err := storage.Embedded(t.Context(), filepath.Join(dir, "etcd"), 0)
	must(t, err)
	defer b.Close()
	for _, key := range keys {
		answer, err := b.Client.Client.Delete(t.Context(), storage.Root+key)
		must(t, err)
		if answer.Deleted != 1 {
			t.Fatalf("there is no %s", key)
		}
	}
}

const serviceKey, addressKey = "/services/specs/default/kubernetes", "/ipaddresses/10.96.0.1"

// A webhook that fails closed on everything, and whose Pods cannot run before the server is ready, does not keep it from getting there.
func TestNoWebhookKeepsTheServerFromBeingReady(t *testing.T) {
	dir := t.TempDir()
	r, stop := apitest.StartIn(t, dir)
	ctx, client := apitest.Context(t), r.Client(t)
	all := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*/*"}},
	}
	_, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "w.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service: &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "nobody"},
			},
			Rules: []admissionregistrationv1.RuleWithOperations{all}, FailurePolicy: ptr.To(admissionregistrationv1.Fail), TimeoutSeconds: ptr.To[int32](1),
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	must(t, err)
	eventually(t, "the webhook refuses", func() bool {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap("x"), metav1.CreateOptions{DryRun: dryRun()})
		return err != nil && strings.Contains(err.Error(), "w.example.com")
	})
	stop()
	// As after an upgrade to a version with one more role, schema and API group.
	remove(t, dir, "/clusterroles/view", "/flowschemas/catch-all", "/apiregistration.k8s.io/apiservices/v1.batch", serviceKey, addressKey)
	r, stop = apitest.StartIn(t, dir) // fails unless it gets ready
	defer stop()
	client = r.Client(t)
	if _, err := client.RbacV1().ClusterRoles().Get(ctx, "view", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if s, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{}); err != nil || s.Spec.ClusterIP != "10.96.0.1" {
		t.Errorf("Service kubernetes: %v, %v", s.Spec.ClusterIP, err)
	}
	// It is the server that is exempt, and not the administrator's group or whoever has the server's name.
	for _, other := range []kubernetes.Interface{client, as(t, r, "system:apiserver", "system:masters")} {
		if _, err := other.CoreV1().ConfigMaps("default").Create(ctx, configMap("x"), metav1.CreateOptions{}); err == nil {
			t.Error("the webhook does not stop users any more")
		}
	}
}

// Where a user's Service has taken the address of Service kubernetes the server works on, says so, and mends it when it can.
func TestForeignServiceOnTheAPIsAddress(t *testing.T) {
	dir := t.TempDir()
	r, stop := apitest.StartIn(t, dir, func(c *server.Config) { c.ServiceCIDR = netip.MustParsePrefix("10.64.0.0/10") })
	ctx := apitest.Context(t)
	_, err := r.Client(t).CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "foreign"}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.1", Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	must(t, err)
	stop()
	remove(t, dir, serviceKey)
	r, stop = apitest.StartIn(t, dir) // fails unless it gets ready
	defer stop()
	client := r.Client(t)
	eventually(t, "an Event tells of the foreign Service", func() bool {
		events, err := client.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=foreign,reason=InTheWay"})
		return err == nil && len(events.Items) > 0
	})
	must(t, client.CoreV1().Services("default").Delete(ctx, "foreign", metav1.DeleteOptions{}))
	within(t, "Service kubernetes", func(ctx context.Context) bool {
		_, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		return err == nil
	})
}

// Webhooks that are themselves behind the API, as aggregated servers are, are reached with a caBundle as without.
func TestWebhooksBehindTheAPIItself(t *testing.T) {
	r := apitest.Start(t)
	ctx, client := apitest.Context(t), r.Client(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/apis/hooks.example.com/v1" {
			_ = json.NewEncoder(w).Encode(metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "hooks.example.com/v1"})
			return
		}
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: review.Request.Name != "bad", Result: &metav1.Status{Message: "it is bad"}}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(t, err)
	_, text, _ := net.SplitHostPort(u.Host)
	port, _ := strconv.Atoi(text)
	_, err = client.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "hooks"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = aggregator.NewForConfigOrDie(r.Config(t)).ApiregistrationV1().APIServices().Create(ctx, &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: "v1.hooks.example.com"},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: "hooks.example.com", Version: "v1", GroupPriorityMinimum: 100, VersionPriority: 100, InsecureSkipTLSVerify: true,
			Service: &apiregistrationv1.ServiceReference{Namespace: "default", Name: "hooks", Port: ptr.To(int32(port))},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "w"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "w.example.com", Rules: configMapRules(), FailurePolicy: ptr.To(admissionregistrationv1.Fail),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service:  &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "kubernetes", Path: ptr.To("/apis/hooks.example.com/v1/reviews")},
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
			},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	must(t, err)
	create := func(name string) error {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, configMap(name), metav1.CreateOptions{DryRun: dryRun()})
		return err
	}
	eventually(t, "the webhook refuses", func() bool {
		err := create("bad")
		return err != nil && strings.Contains(err.Error(), "it is bad")
	})
	if err := create("good"); err != nil {
		t.Error(err)
	}
}

// Who may read what a policy takes as parameters may use it so, whatever else there is in its group.
func TestPoliciesParametersNeedTheRightToThemOnly(t *testing.T) {
	r := apitest.Start(t)
	ctx, client := apitest.Context(t), r.Client(t)
	_, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "platform"}, Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"*"}},
		{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"configmaps"}},
	}}, metav1.CreateOptions{})
	must(t, err)
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "platform"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "platform"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "team"}},
	}, metav1.CreateOptions{})
	must(t, err)
	team := as(t, r, "team")
	policy := func(name, kind string) error {
		_, err := team.AdmissionregistrationV1().ValidatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				ParamKind:        &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: kind},
				MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: configMapRules()[0]}}},
				Validations:      []admissionregistrationv1.Validation{{Expression: "true"}},
			},
		}, metav1.CreateOptions{})
		return err
	}
	soon(t, "the team makes a policy on ConfigMaps", func() error { return policy("by-config", "ConfigMap") })
	if err := policy("by-secret", "Secret"); err == nil {
		t.Error("parameters that the team may not read are taken")
	}
}

package authorization

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// rules allows alice to get pods, and to see /healthz; mallory is denied.
type rules struct{ asked authorizer.Attributes }

func (r *rules) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	r.asked = a
	switch name := a.GetUser().GetName(); {
	case name == "mallory":
		return authorizer.DecisionDeny, "known", errors.New("partly blind")
	case name == "alice" && (a.GetResource() == "pods" || a.GetPath() == "/healthz"):
		return authorizer.DecisionAllow, "because", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func (r *rules) RulesFor(_ context.Context, u user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	return []authorizer.ResourceRuleInfo{&authorizer.DefaultResourceRuleInfo{Verbs: []string{"get"}, Resources: []string{"pods"}, APIGroups: []string{""}}},
		[]authorizer.NonResourceRuleInfo{&authorizer.DefaultNonResourceRuleInfo{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}}}, true, errors.New("partly blind")
}

func post(t *testing.T, r *rules, resource, as, namespace string, in runtime.Object) (runtime.Object, error) {
	t.Helper()
	ctx := request.WithNamespace(request.WithUser(context.Background(), &user.DefaultInfo{Name: as}), namespace)
	endpoint := Endpoints(Config{Authorizer: r, Rules: r})[authorizationv1.SchemeGroupVersion][resource]
	return endpoint.(rest.Creater).Create(ctx, in, nil, nil)
}

func TestSubjectAccessReview(t *testing.T) {
	pods, health := &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"}, &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/healthz"}
	for _, c := range []struct {
		name string
		spec authorizationv1.SubjectAccessReviewSpec
		want authorizationv1.SubjectAccessReviewStatus
	}{
		{"allowed", authorizationv1.SubjectAccessReviewSpec{User: "alice", ResourceAttributes: pods}, authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "because"}},
		{"allowed path", authorizationv1.SubjectAccessReviewSpec{User: "alice", NonResourceAttributes: health}, authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "because"}},
		{"no opinion", authorizationv1.SubjectAccessReviewSpec{User: "bob", ResourceAttributes: pods}, authorizationv1.SubjectAccessReviewStatus{}},
		{"denied", authorizationv1.SubjectAccessReviewSpec{User: "mallory", ResourceAttributes: pods}, authorizationv1.SubjectAccessReviewStatus{Denied: true, Reason: "known", EvaluationError: "partly blind"}},
		{"selector that cannot be read", authorizationv1.SubjectAccessReviewSpec{User: "bob", ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "list", Resource: "pods", LabelSelector: &authorizationv1.LabelSelectorAttributes{RawSelector: "a in ("},
		}}, authorizationv1.SubjectAccessReviewStatus{EvaluationError: "spec.resourceAttributes.labelSelector ignored due to parse error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := post(t, &rules{}, "subjectaccessreviews", "admin", "", &authorizationv1.SubjectAccessReview{Spec: c.spec})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.(*authorizationv1.SubjectAccessReview).Status); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReviewsRefuseWhatTheyCannotAnswer(t *testing.T) {
	pods := &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Namespace: "b"}
	for name, c := range map[string]struct {
		resource string
		in       runtime.Object
		is       func(error) bool
	}{
		"nothing asked":     {"subjectaccessreviews", &authorizationv1.SubjectAccessReview{}, apierrors.IsInvalid},
		"named":             {"subjectaccessreviews", &authorizationv1.SubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: authorizationv1.SubjectAccessReviewSpec{User: "a", ResourceAttributes: pods}}, apierrors.IsInvalid},
		"another namespace": {"localsubjectaccessreviews", &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}, Spec: authorizationv1.SubjectAccessReviewSpec{User: "a", ResourceAttributes: pods}}, apierrors.IsInvalid},
		"namespace of URL":  {"localsubjectaccessreviews", &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: "b"}, Spec: authorizationv1.SubjectAccessReviewSpec{User: "a", ResourceAttributes: pods}}, apierrors.IsBadRequest},
		"self, nothing":     {"selfsubjectaccessreviews", &authorizationv1.SelfSubjectAccessReview{}, apierrors.IsInvalid},
		"rules of nowhere":  {"selfsubjectrulesreviews", &authorizationv1.SelfSubjectRulesReview{}, apierrors.IsBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := post(t, &rules{}, c.resource, "admin", "a", c.in); !c.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSelfReviewsAreAboutWhoAsks(t *testing.T) {
	in := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Verb: "list", Resource: "pods",
		FieldSelector: &authorizationv1.FieldSelectorAttributes{Requirements: []metav1.FieldSelectorRequirement{{Key: "spec.nodeName", Operator: metav1.FieldSelectorOpIn, Values: []string{"n"}}}},
		LabelSelector: &authorizationv1.LabelSelectorAttributes{Requirements: []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpExists}}},
	}}}
	r := &rules{}
	out, err := post(t, r, "selfsubjectaccessreviews", "alice", "", in)
	if err != nil {
		t.Fatal(err)
	}
	if !out.(*authorizationv1.SelfSubjectAccessReview).Status.Allowed {
		t.Error("alice may not list pods")
	}
	fields, err := r.asked.GetFieldSelector()
	if err != nil || len(fields) != 1 || fields[0].Field != "spec.nodeName" || fields[0].Value != "n" {
		t.Errorf("fields are %v, %v", fields, err)
	}
	labels, err := r.asked.GetLabelSelector()
	if err != nil || len(labels) != 1 || labels[0].String() != "a" {
		t.Errorf("labels are %v, %v", labels, err)
	}
	if got := r.asked.GetAPIVersion(); got != "*" {
		t.Errorf("asked for version %q", got)
	}
}

func TestRulesReview(t *testing.T) {
	out, err := post(t, &rules{}, "selfsubjectrulesreviews", "alice", "", &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	want := authorizationv1.SubjectRulesReviewStatus{
		ResourceRules:    []authorizationv1.ResourceRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}},
		NonResourceRules: []authorizationv1.NonResourceRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}}},
		Incomplete:       true, EvaluationError: "partly blind",
	}
	if diff := cmp.Diff(want, out.(*authorizationv1.SelfSubjectRulesReview).Status); diff != "" {
		t.Error(diff)
	}
}

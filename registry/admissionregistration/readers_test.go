package admissionregistration

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/coracle-k8s/coracle/apis/admissionregistration"
)

func TestWhoWritesPoliciesMustBeAbleToReadParameters(t *testing.T) {
	kind := &admissionv1.ParamKind{APIVersion: "example.com/v1", Kind: "Limit"}
	find := func(k schema.GroupVersionKind) (schema.GroupVersionResource, error) {
		return k.GroupVersion().WithResource("limits"), nil
	}
	unknown := func(schema.GroupVersionKind) (schema.GroupVersionResource, error) {
		return schema.GroupVersionResource{}, errors.New("no such kind")
	}
	for _, c := range []struct {
		name string
		find func(schema.GroupVersionKind) (schema.GroupVersionResource, error)
		ask  func(Config, context.Context) error
		want string // asked
	}{
		{"kind", find, func(c Config, ctx context.Context) error { return c.mayReadKind(ctx, kind) }, "get example.com v1 limits */*"},
		{"unknown kind", unknown, func(c Config, ctx context.Context) error { return c.mayReadKind(ctx, kind) }, "get example.com v1 * */*"},
		{"no kind", find, func(c Config, ctx context.Context) error { return c.mayReadKind(ctx, nil) }, ""},
		{"one object", find, func(c Config, ctx context.Context) error {
			return c.mayReadParams(ctx, kind, &admissionv1.ParamRef{Name: "n", Namespace: "ns"})
		}, "get example.com v1 limits ns/n"},
		{"selected objects", find, func(c Config, ctx context.Context) error {
			return c.mayReadParams(ctx, kind, &admissionv1.ParamRef{Selector: &metav1.LabelSelector{}})
		}, "list example.com v1 limits */*"},
		{"objects of a policy to come", find, func(c Config, ctx context.Context) error {
			return c.mayReadParams(ctx, nil, &admissionv1.ParamRef{Name: "n"})
		}, "get * * * */n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := ""
			config := Config{Resource: c.find, Authorizer: authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
				asked = a.GetVerb() + " " + a.GetAPIGroup() + " " + a.GetAPIVersion() + " " + a.GetResource() + " " + a.GetNamespace() + "/" + a.GetName()
				return authorizer.DecisionNoOpinion, "", nil
			})}
			err := c.ask(config, request.WithUser(context.Background(), &user.DefaultInfo{Name: "bob"}))
			if asked != c.want {
				t.Errorf("asked %q, want %q", asked, c.want)
			}
			if refused := err != nil; refused != (c.want != "") {
				t.Errorf("got %v", err)
			}
			admin := request.WithUser(context.Background(), &user.DefaultInfo{Name: "root", Groups: []string{user.SystemPrivilegedGroup}})
			if err := c.ask(config, admin); err != nil {
				t.Errorf("privileged user: %v", err)
			}
		})
	}
}

func TestExpressionsSeeVariablesOfTheirObjectOnly(t *testing.T) {
	all, at := newCompilers(), field.NewPath("x")
	first, second := all.checker(), all.checker()
	variable := admissionregistration.Expression{Use: admissionregistration.UseVariable, Name: "r", Text: "object.spec.replicas"}
	uses := admissionregistration.Expression{Use: admissionregistration.UseValidation, Text: "variables.r > 1"}
	if errs := append(first(variable, at), first(uses, at)...); len(errs) > 0 {
		t.Errorf("got %v", errs)
	}
	if errs := second(uses, at); len(errs) == 0 {
		t.Error("another object's variable is known")
	}
	for name, e := range map[string]admissionregistration.Expression{
		"parameters without any":       {Use: admissionregistration.UseValidation, Text: "params.x == 1"},
		"not a condition":              {Use: admissionregistration.UseValidation, Text: "1 + 1"},
		"no syntax":                    {Use: admissionregistration.UseMatch, Text: "object."},
		"variables in what is matched": {Use: admissionregistration.UseMatch, Text: "variables.r > 1"},
		"authorizer in a message":      {Use: admissionregistration.UseMessage, Text: "string(authorizer.path('/x').check('get').allowed())"},
		"a patch that is none":         {Use: admissionregistration.UsePatch, Text: "true"},
	} {
		if errs := first(e, at); len(errs) == 0 {
			t.Errorf("%s: %q is accepted", name, e.Text)
		}
	}
	patch := admissionregistration.Expression{Use: admissionregistration.UsePatch, Params: true, Text: `[JSONPatch{op: "add", path: "/metadata/labels/a", value: params.x}]`}
	if errs := all.checker()(patch, at); len(errs) > 0 {
		t.Errorf("got %v", errs)
	}
}

func TestParametersInTables(t *testing.T) {
	for want, ref := range map[string]*admissionv1.ParamRef{
		"<unset>": nil, "ns/n": {Name: "n", Namespace: "ns"}, "*/n": {Name: "n"},
		"&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}": {Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}},
	} {
		if got := paramRef(ref); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What uses a variable without an expression is told of that variable, not of variables as such.
func TestAVariableThatIsEmptyIsMissed(t *testing.T) {
	p := &admissionv1.ValidatingAdmissionPolicy{}
	p.Spec.Variables = []admissionv1.Variable{{Name: "r"}}
	p.Spec.Validations = []admissionv1.Validation{{Expression: "variables.r <= 5"}}
	errs := admissionregistration.ValidateValidatingPolicy(p, nil, newCompilers().checker())
	if text := errs.ToAggregate().Error(); !strings.Contains(text, "undefined field 'r'") {
		t.Errorf("got %s", text)
	}
}

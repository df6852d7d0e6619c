package authorization

import (
	"context"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"github.com/coracle-k8s/coracle/apis/authorization"
)

// reviewSubject says whether somebody may do something.
func (c Config) reviewSubject(ctx context.Context, in *authorizationv1.SubjectAccessReview, admit func() error) (*authorizationv1.SubjectAccessReview, error) {
	if err := invalid(authorization.ValidateSubjectAccessReview(in)); err != nil {
		return nil, err
	}
	if err := admit(); err != nil {
		return nil, err
	}
	in.Status = c.decide(ctx, attributesOf(&in.Spec))
	return in, nil
}

// reviewLocal says whether somebody may do something in the namespace of the request.
func (c Config) reviewLocal(ctx context.Context, in *authorizationv1.LocalSubjectAccessReview, admit func() error) (*authorizationv1.LocalSubjectAccessReview, error) {
	if err := invalid(authorization.ValidateLocalSubjectAccessReview(in)); err != nil {
		return nil, err
	}
	switch namespace := request.NamespaceValue(ctx); {
	case namespace == "":
		return nil, apierrors.NewBadRequest("namespace is required on this type: ")
	case namespace != in.Namespace:
		return nil, apierrors.NewBadRequest("spec.resourceAttributes.namespace must match namespace: " + namespace)
	}
	if err := admit(); err != nil {
		return nil, err
	}
	in.Status = c.decide(ctx, attributesOf(&in.Spec))
	return in, nil
}

// reviewSelf says whether who asks may do something.
func (c Config) reviewSelf(ctx context.Context, in *authorizationv1.SelfSubjectAccessReview, admit func() error) (*authorizationv1.SelfSubjectAccessReview, error) {
	if err := invalid(authorization.ValidateSelfSubjectAccessReview(in)); err != nil {
		return nil, err
	}
	u, ok := request.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewBadRequest("no user present on request")
	}
	if err := admit(); err != nil {
		return nil, err
	}
	in.Status = c.decide(ctx, attributes(u, in.Spec.ResourceAttributes, in.Spec.NonResourceAttributes))
	return in, nil
}

// invalid names no kind, as upstream's error does not.
func invalid(errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: authorizationv1.GroupName}, "", errs)
}

func attributesOf(s *authorizationv1.SubjectAccessReviewSpec) authorizer.AttributesRecord {
	u := &user.DefaultInfo{Name: s.User, Groups: s.Groups, UID: s.UID}
	for k, v := range s.Extra {
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[k] = v
	}
	return attributes(u, s.ResourceAttributes, s.NonResourceAttributes)
}

func (c Config) decide(ctx context.Context, a authorizer.AttributesRecord) authorizationv1.SubjectAccessReviewStatus {
	decision, reason, err := c.Authorizer.Authorize(ctx, a)
	var problems []string
	if err != nil {
		problems = append(problems, err.Error())
	}
	ignored := func(selector string, some bool, err error) {
		switch {
		case err != nil && some:
			problems = append(problems, "spec.resourceAttributes."+selector+" partially ignored due to parse error")
		case err != nil:
			problems = append(problems, "spec.resourceAttributes."+selector+" ignored due to parse error")
		}
	}
	ignored("fieldSelector", len(a.FieldSelectorRequirements) > 0, a.FieldSelectorParsingErr)
	ignored("labelSelector", len(a.LabelSelectorRequirements) > 0, a.LabelSelectorParsingErr)
	return authorizationv1.SubjectAccessReviewStatus{
		Allowed: decision == authorizer.DecisionAllow, Denied: decision == authorizer.DecisionDeny,
		Reason: reason, EvaluationError: strings.Join(problems, "; "),
	}
}

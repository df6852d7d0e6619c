package admissionregistration

import (
	"context"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// forbidden is err as an error of the field, if there is one.
func forbidden(err error, name string) field.ErrorList {
	if err == nil {
		return nil
	}
	return field.ErrorList{field.Forbidden(field.NewPath("spec", name), err.Error())}
}

// mayReadKind refuses users who may not read all objects of a kind that their policy would read for them.
func (c Config) mayReadKind(ctx context.Context, kind *admissionv1.ParamKind) error {
	if kind == nil {
		return nil
	}
	return c.mayRead(ctx, kind, authorizer.AttributesRecord{Verb: "get", Name: "*", Namespace: "*"},
		fmt.Sprintf(`"get" permission on all objects of the referenced paramKind (kind=%s, apiVersion=%s)`, kind.Kind, kind.APIVersion))
}

// mayReadParams refuses users who may not read the parameters that their binding would read for them. kind is nil if the
// policy is not there yet: then they could be of any kind.
func (c Config) mayReadParams(ctx context.Context, kind *admissionv1.ParamKind, ref *admissionv1.ParamRef) error {
	if ref == nil {
		return nil
	}
	a := authorizer.AttributesRecord{Verb: "get", Name: ref.Name, Namespace: ref.Namespace}
	if a.Name == "" {
		a.Verb, a.Name = "list", "*"
	}
	if a.Namespace == "" {
		a.Namespace = "*"
	}
	return c.mayRead(ctx, kind, a, fmt.Sprintf("%q permission on the objects referenced by paramRef", a.Verb))
}

func (c Config) mayRead(ctx context.Context, kind *admissionv1.ParamKind, a authorizer.AttributesRecord, what string) error {
	u, ok := request.UserFrom(ctx)
	switch {
	case c.Authorizer == nil:
		return nil
	case !ok:
		return errors.New("cannot identify user to authorize read access to paramKind resources")
	case slices.Contains(u.GetGroups(), user.SystemPrivilegedGroup):
		return nil
	}
	a.User, a.ResourceRequest = u, true
	a.APIGroup, a.APIVersion, a.Resource = "*", "*", "*"
	if kind != nil {
		if gv, err := schema.ParseGroupVersion(kind.APIVersion); err == nil {
			a.APIGroup, a.APIVersion = gv.Group, gv.Version
			if c.Resource != nil {
				if found, err := c.Resource(gv.WithKind(kind.Kind)); err == nil {
					a.Resource = found.Resource
				}
			}
		}
	}
	decision, _, err := c.Authorizer.Authorize(ctx, a)
	if err != nil {
		return err
	}
	if decision != authorizer.DecisionAllow {
		return fmt.Errorf("user %v must have %s", u, what)
	}
	return nil
}

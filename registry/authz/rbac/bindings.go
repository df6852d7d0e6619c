package rbac

import (
	"fmt"
	"strconv"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

const bySubject = "subject"

// grant is a binding as seen by one of its subjects.
type grant struct {
	name, namespace string // of the binding
	role            rbacv1.RoleRef
	subject         string // index key
}

// String names the grant as upstream's audit logs do.
func (g grant) String() string {
	text := make([]byte, 0, 192)
	if g.namespace == "" {
		text = strconv.AppendQuote(append(text, "ClusterRoleBinding "...), g.name)
	} else {
		text = strconv.AppendQuote(append(text, "RoleBinding "...), g.name+"/"+g.namespace)
	}
	text = append(append(append(text, " of "...), g.role.Kind...), ' ')
	text = append(strconv.AppendQuote(text, g.role.Name), " to "...)
	return string(appendSubject(text, g.subject))
}

// visit calls f with the rules of each binding of the user until it returns false. A binding whose role is missing has an
// error in place of rules.
func (r *RBAC) visit(u user.Info, namespace string, f func(from grant, rules []rbacv1.PolicyRule, err error) bool) {
	if u == nil || !r.visitSubject(userKey(u.GetName()), namespace, f) {
		return
	}
	for _, group := range u.GetGroups() {
		if !r.visitSubject(groupKey(group), namespace, f) {
			return
		}
	}
}

func (r *RBAC) visitSubject(key, namespace string, f func(from grant, rules []rbacv1.PolicyRule, err error) bool) bool {
	found, _ := r.clusterBindings.ByIndex(bySubject, key) // fails only without the index
	for _, obj := range found {
		b := obj.(*rbacv1.ClusterRoleBinding)
		rules, err := r.RoleRules(b.RoleRef, "")
		if !f(grant{b.Name, "", b.RoleRef, key}, rules, err) {
			return false
		}
	}
	if namespace == "" {
		return true
	}
	found, _ = r.bindings.ByIndex(bySubject, namespace+"/"+key)
	for _, obj := range found {
		b := obj.(*rbacv1.RoleBinding)
		rules, err := r.RoleRules(b.RoleRef, namespace)
		if !f(grant{b.Name, namespace, b.RoleRef, key}, rules, err) {
			return false
		}
	}
	return true
}

// RoleRules are those of the role that a binding in the namespace (none for cluster role bindings) refers to.
func (r *RBAC) RoleRules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error) {
	switch ref.Kind {
	case "ClusterRole":
		role, err := r.clusterRoles.Get(ref.Name)
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	case "Role":
		if namespace == "" { // the API's answer to who reads a Role of no namespace
			return nil, apierrors.NewBadRequest("Namespace parameter required.")
		}
		role, err := r.roles.Roles(namespace).Get(ref.Name)
		if err != nil {
			return nil, err
		}
		return role.Rules, nil
	}
	return nil, fmt.Errorf("unsupported role reference kind: %q", ref.Kind)
}

// subjects are the index keys of a binding. Those of role bindings begin with their namespace.
func subjects(obj any) ([]string, error) {
	var keys []string
	switch b := obj.(type) {
	case *rbacv1.ClusterRoleBinding:
		for _, s := range b.Subjects {
			keys = append(keys, key(s, ""))
		}
	case *rbacv1.RoleBinding:
		for _, s := range b.Subjects {
			keys = append(keys, b.Namespace+"/"+key(s, b.Namespace))
		}
	}
	return keys, nil
}

// key of a subject. A service account is the user that it logs in as.
func key(s rbacv1.Subject, namespace string) string {
	switch s.Kind {
	case rbacv1.UserKind:
		return userKey(s.Name)
	case rbacv1.GroupKind:
		return groupKey(s.Name)
	case rbacv1.ServiceAccountKind:
		if s.Namespace != "" {
			namespace = s.Namespace
		}
		if namespace != "" {
			return userKey(serviceaccount.MakeUsername(namespace, s.Name))
		}
	}
	return "" // nobody
}

func userKey(name string) string  { return "u" + name }
func groupKey(name string) string { return "g" + name }

func appendSubject(text []byte, key string) []byte {
	if key[0] == 'g' {
		return strconv.AppendQuote(append(text, "Group "...), key[1:])
	}
	if namespace, name, err := serviceaccount.SplitUsername(key[1:]); err == nil {
		return strconv.AppendQuote(append(text, "ServiceAccount "...), name+"/"+namespace)
	}
	return strconv.AppendQuote(append(text, "User "...), key[1:])
}

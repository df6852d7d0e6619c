package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"

	"github.com/coracle-k8s/coracle/guard"
)

// writers is how many writes are under way at once: the store commits them together.
const writers = 16

// Ensure brings the stored policy up to the default one: what is missing (objects, rules, subjects, labels) is added, nothing
// is taken away, and objects annotated rbac.authorization.kubernetes.io/autoupdate=false are left alone. A binding to another
// role is replaced, as bindings cannot be changed. Four lists are all it takes when nothing is missing. It is idempotent. The
// client must belong to system:masters. The error joins those of all objects.
func Ensure(ctx context.Context, client kubernetes.Interface) error {
	p, err := Default()
	if err != nil {
		return err
	}
	e := &ensurer{ctx: ctx, client: client.RbacV1()}
	var lists errgroup.Group
	for _, list := range []func() error{
		func() error { return e.clusterRoles(p.ClusterRoles) },
		func() error { return e.clusterRoleBindings(p.ClusterRoleBindings) },
		func() error { return e.roles(p.Roles) },
		func() error { return e.roleBindings(p.RoleBindings) },
	} {
		lists.Go(guard.Func("RBAC policy", list))
	}
	if err := lists.Wait(); err != nil {
		return fmt.Errorf("bringing RBAC policy up to date: %w", err)
	}
	if err := errors.Join(e.ensureNamespaces(client), e.write()); err != nil {
		return fmt.Errorf("bringing RBAC policy up to date: %w", err)
	}
	return nil
}

// ensurer collects writes from all kinds.
type ensurer struct {
	ctx    context.Context
	client rbacclient.RbacV1Interface

	mu         sync.Mutex
	writes     []func() error
	namespaces map[string]bool // of objects to be created
}

func (e *ensurer) clusterRoles(wanted []*rbacv1.ClusterRole) error {
	list, err := e.client.ClusterRoles().List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing cluster roles: %w", err)
	}
	k := kind[*rbacv1.ClusterRole]{merge: mergeClusterRole}
	schedule(e, k.compare(pointers(list.Items), wanted), func(string) writer[*rbacv1.ClusterRole] { return e.client.ClusterRoles() })
	return nil
}

func (e *ensurer) clusterRoleBindings(wanted []*rbacv1.ClusterRoleBinding) error {
	list, err := e.client.ClusterRoleBindings().List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing cluster role bindings: %w", err)
	}
	k := kind[*rbacv1.ClusterRoleBinding]{
		merge:    mergeClusterRoleBinding,
		replaced: func(stored, wanted *rbacv1.ClusterRoleBinding) bool { return stored.RoleRef != wanted.RoleRef },
	}
	schedule(e, k.compare(pointers(list.Items), wanted), func(string) writer[*rbacv1.ClusterRoleBinding] { return e.client.ClusterRoleBindings() })
	return nil
}

func (e *ensurer) roles(wanted []*rbacv1.Role) error {
	list, err := e.client.Roles("").List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing roles: %w", err)
	}
	k := kind[*rbacv1.Role]{merge: mergeRole}
	schedule(e, k.compare(pointers(list.Items), wanted), func(namespace string) writer[*rbacv1.Role] { return e.client.Roles(namespace) })
	return nil
}

func (e *ensurer) roleBindings(wanted []*rbacv1.RoleBinding) error {
	list, err := e.client.RoleBindings("").List(e.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing role bindings: %w", err)
	}
	k := kind[*rbacv1.RoleBinding]{
		merge:    mergeRoleBinding,
		replaced: func(stored, wanted *rbacv1.RoleBinding) bool { return stored.RoleRef != wanted.RoleRef },
	}
	schedule(e, k.compare(pointers(list.Items), wanted), func(namespace string) writer[*rbacv1.RoleBinding] { return e.client.RoleBindings(namespace) })
	return nil
}

// writer is a typed client of one kind.
type writer[T any] interface {
	Create(ctx context.Context, obj T, options metav1.CreateOptions) (T, error)
	Update(ctx context.Context, obj T, options metav1.UpdateOptions) (T, error)
	Delete(ctx context.Context, name string, options metav1.DeleteOptions) error
}

func schedule[T object[T]](e *ensurer, p plan[T], in func(namespace string) writer[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, obj := range p.create {
		e.writes = append(e.writes, func() error { return create(e.ctx, in(obj.GetNamespace()), obj) })
		if namespace := obj.GetNamespace(); namespace != "" {
			if e.namespaces == nil {
				e.namespaces = map[string]bool{}
			}
			e.namespaces[namespace] = true
		}
	}
	for _, obj := range p.update {
		e.writes = append(e.writes, func() error {
			if _, err := in(obj.GetNamespace()).Update(e.ctx, obj, metav1.UpdateOptions{}); err != nil {
				return fmt.Errorf("updating %T %s: %w", obj, obj.GetName(), err)
			}
			return nil
		})
	}
	for _, r := range p.replace {
		e.writes = append(e.writes, func() error {
			client := in(r.wanted.GetNamespace())
			err := client.Delete(e.ctx, r.stored.GetName(), *metav1.NewPreconditionDeleteOptions(string(r.stored.GetUID())))
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("deleting %T %s: %w", r.stored, r.stored.GetName(), err)
			}
			return create(e.ctx, client, r.wanted)
		})
	}
}

func create[T object[T]](ctx context.Context, client writer[T], obj T) error {
	_, err := client.Create(ctx, obj, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) { // another server was first
		return fmt.Errorf("creating %T %s: %w", obj, obj.GetName(), err)
	}
	return nil
}

func (e *ensurer) ensureNamespaces(client kubernetes.Interface) error {
	for namespace := range e.namespaces {
		_, err := client.CoreV1().Namespaces().Create(e.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating namespace %s: %w", namespace, err)
		}
	}
	return nil
}

func (e *ensurer) write() error {
	var group errgroup.Group
	group.SetLimit(writers)
	errs := make([]error, len(e.writes))
	for i, write := range e.writes {
		group.Go(guard.Func("RBAC policy", func() error {
			errs[i] = write()
			return nil
		}))
	}
	panicked := group.Wait() // other errors are in errs, all of them
	return errors.Join(append(errs, panicked)...)
}

func pointers[T any](items []T) []*T {
	list := make([]*T, 0, len(items))
	for i := range items {
		list = append(list, &items[i])
	}
	return list
}

// Package storagemigration rewrites all objects of a resource, so that what is stored is as it would be stored now: in the current storage
// version, and encrypted with the current key.
package storagemigration

import (
	"cmp"
	"context"
	"fmt"
	"time"

	migrationv1 "k8s.io/api/storagemigration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/coracle-k8s/coracle/apis/storagemigration"
	"github.com/coracle-k8s/coracle/controllers/loop"
)

const (
	// Name is the controller's, and that of its service account in kube-system.
	Name = "storage-version-migrator-controller"

	workers = 2

	// patience is how long a resource may be unknown: its definition may be new.
	patience   = time.Minute
	lookAgain  = 5 * time.Second
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

type migration = migrationv1.StorageVersionMigration

type controller struct {
	client    client.Client
	direct    client.Client
	resources discovery.DiscoveryInterface
	objects   metadata.Interface
	now       func() time.Time
}

// Register puts the controller on the manager. It wakes for migrations, and for all of a resource when one of them is at its end.
// c's writes must be seen (package seen); direct is for definitions, which are read from the server.
func Register(mgr manager.Manager, c, direct client.Client, resources discovery.DiscoveryInterface, objects metadata.Interface) error {
	r := &controller{client: c, direct: direct, resources: resources, objects: objects, now: time.Now}
	return loop.WithRetries(mgr, Name, workers, firstRetry, lastRetry).
		For(&migration{}).
		Watches(&migration{}, loop.ToRequests(r.sameResource)).
		Complete(loop.Contained(Name, reconcile.AsReconciler[*migration](c, r)))
}

// sameResource are the other migrations of a resource: they wait for one another.
func (r *controller) sameResource(ctx context.Context, o client.Object) (requests []reconcile.Request) {
	m, is := o.(*migration)
	if !is {
		return nil
	}
	var all migrationv1.StorageVersionMigrationList
	if err := r.client.List(ctx, &all); err != nil {
		return nil
	}
	for i := range all.Items {
		if other := &all.Items[i]; other.Name != m.Name && other.Spec.Resource == m.Spec.Resource {
			requests = append(requests, loop.Request("", other.Name))
		}
	}
	return requests
}

// Reconcile implements reconcile.ObjectReconciler. Each step ends with a write, which wakes the controller for the next.
func (r *controller) Reconcile(ctx context.Context, m *migration) (reconcile.Result, error) {
	m = m.DeepCopy()
	ended := storagemigration.Is(m, migrationv1.MigrationSucceeded) || storagemigration.Is(m, migrationv1.MigrationFailed)
	running := storagemigration.Is(m, migrationv1.MigrationRunning)
	switch {
	case ended && running:
		if err := r.endOfDefinition(ctx, m); err != nil {
			return reconcile.Result{}, err
		}
		set(m, migrationv1.MigrationRunning, metav1.ConditionFalse, "MigrationCompleted", "Migration completed")
		return reconcile.Result{}, r.write(ctx, m)
	case ended:
		return reconcile.Result{}, nil
	case !running:
		return reconcile.Result{}, r.start(ctx, m)
	}
	return r.run(ctx, m)
}

// start lets a migration run when no other one of the resource does, the oldest first.
func (r *controller) start(ctx context.Context, m *migration) error {
	var all migrationv1.StorageVersionMigrationList
	if err := r.client.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		if other := &all.Items[i]; other.Name != m.Name && other.Spec.Resource == m.Spec.Resource && before(other, m) {
			return nil
		}
	}
	if err := r.startOfDefinition(ctx, m); err != nil {
		return err
	}
	set(m, migrationv1.MigrationRunning, metav1.ConditionTrue, reasonRunning, running)
	return r.write(ctx, m)
}

// before reports whether m has to wait for the other one.
func before(other, m *migration) bool {
	if storagemigration.Is(other, migrationv1.MigrationRunning) {
		return true
	}
	ended := storagemigration.Is(other, migrationv1.MigrationSucceeded) || storagemigration.Is(other, migrationv1.MigrationFailed)
	older := cmp.Or(other.CreationTimestamp.Compare(m.CreationTimestamp.Time), cmp.Compare(other.Name, m.Name)) < 0
	return !ended && older
}

func (r *controller) run(ctx context.Context, m *migration) (reconcile.Result, error) {
	resource, problem, err := r.find(m.Spec.Resource)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case problem == notThere && r.now().Sub(m.CreationTimestamp.Time) < patience:
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	case problem != "":
		return reconcile.Result{}, r.fail(ctx, m, problem)
	}
	if m.Status.ResourceVersion == "" {
		list, err := r.objects.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return reconcile.Result{}, fmt.Errorf("finding out the resource version of %s: %w", resource, err)
		}
		m.Status.ResourceVersion = list.ResourceVersion
		return reconcile.Result{}, r.write(ctx, m)
	}
	return reconcile.Result{}, r.migrate(ctx, m, resource)
}

const (
	reasonRunning = "MigrationRunning"
	running       = "The migration is running"
)

func (r *controller) fail(ctx context.Context, m *migration, message string) error {
	set(m, migrationv1.MigrationFailed, metav1.ConditionTrue, "StorageVersionMigrationFailed", message)
	return r.write(ctx, m)
}

func set(m *migration, kind migrationv1.MigrationConditionType, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&m.Status.Conditions, metav1.Condition{Type: string(kind), Status: status, Reason: reason, Message: message})
}

// write leaves it to the next look to go on from what another has written.
func (r *controller) write(ctx context.Context, m *migration) error {
	err := r.client.Status().Update(ctx, m)
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("writing the status of migration %s: %w", m.Name, err)
}

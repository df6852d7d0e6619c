package bootstrap

import (
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"

	"github.com/coracle-k8s/coracle/registry/authz/policy"
)

// These are the objects of each step.

func namespaces(c Config) []concern {
	return []concern{{c.Informers.Core().V1().Namespaces().Informer(), oneOf(systemNamespaces()...)}}
}

func rolesAndBindings(c Config) []concern {
	wanted, err := policy.Default()
	if err != nil {
		return nil // it is a constant
	}
	rbac := c.Informers.Rbac().V1()
	return []concern{
		{rbac.ClusterRoles().Informer(), oneOf(names(wanted.ClusterRoles)...)},
		{rbac.ClusterRoleBindings().Informer(), oneOf(names(wanted.ClusterRoleBindings)...)},
		{rbac.Roles().Informer(), oneOf(names(wanted.Roles)...)},
		{rbac.RoleBindings().Informer(), oneOf(names(wanted.RoleBindings)...)},
	}
}

func flowControl(c Config) []concern {
	levels := oneOf(append(names(bootstrap.MandatoryPriorityLevelConfigurations), names(bootstrap.SuggestedPriorityLevelConfigurations)...)...)
	schemas := oneOf(append(names(bootstrap.MandatoryFlowSchemas), names(bootstrap.SuggestedFlowSchemas)...)...)
	or := func(known func(metav1.Object) bool) func(metav1.Object) bool {
		return func(o metav1.Object) bool {
			return known(o) || o.GetAnnotations()[flowcontrolv1.AutoUpdateAnnotationKey] != ""
		}
	}
	v1 := c.Informers.Flowcontrol().V1()
	return []concern{{v1.PriorityLevelConfigurations().Informer(), or(levels)}, {v1.FlowSchemas().Informer(), or(schemas)}}
}

func priorityClasses(c Config) []concern {
	return []concern{{c.Informers.Scheduling().V1().PriorityClasses().Informer(), oneOf(names(systemPriorityClasses())...)}}
}

func trust(c Config) []concern {
	return []concern{{c.Informers.Core().V1().ConfigMaps().Informer(), oneOf(metav1.NamespaceSystem + "/" + trustName)}}
}

// apiService are Service kubernetes, and others that have its address.
func apiService(c Config) []concern {
	own, address := oneOf(metav1.NamespaceDefault+"/"+serviceName), serviceAddress(c)
	return []concern{{c.Informers.Core().V1().Services().Informer(), func(o metav1.Object) bool {
		s, ok := o.(*corev1.Service)
		return own(o) || ok && s.Spec.ClusterIP == address
	}}}
}

// endpoints are where Service kubernetes leads to. They go with it.
func endpoints(c Config) []concern {
	own := oneOf(metav1.NamespaceDefault + "/" + serviceName)
	return []concern{
		{c.Informers.Core().V1().Endpoints().Informer(), own},
		{c.Informers.Discovery().V1().EndpointSlices().Informer(), own},
	}
}

func serviceCIDR(c Config) []concern {
	return []concern{{c.Informers.Networking().V1().ServiceCIDRs().Informer(), oneOf(serviceName)}}
}

func names[T metav1.Object](objects []T) (all []string) {
	for _, o := range objects {
		all = append(all, nameOf(o))
	}
	return all
}

package dra

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/dra"
)

// mayAdminister refuses devices that others use (asked for at at, if that is not nil) outside of namespaces meant for that.
func (c Config) mayAdminister(namespace string, at *field.Path) field.ErrorList {
	if at == nil {
		return nil
	}
	if c.Namespace != nil {
		ns, err := c.Namespace(namespace)
		if err != nil {
			return field.ErrorList{field.InternalError(at, fmt.Errorf("could not retrieve namespace to verify admin access: %w", err))}
		}
		if ns.Labels[dra.AdminNamespaceLabel] == "true" {
			return nil
		}
	}
	return field.ErrorList{field.Forbidden(at, fmt.Sprintf("admin access to devices requires the `%s: true` label on the containing namespace", dra.AdminNamespaceLabel))}
}

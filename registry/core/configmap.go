package core

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type configMap = corev1.ConfigMap

// ConfigMaps hold configuration that pods read.
func configMaps() *resource.Resource[*configMap] {
	return resource.Define(resource.Definition[*configMap]{
		Name: "configmaps", Short: []string{"cm"}, Namespaced: true,
		Default:        core.DefaultConfigMap,
		Validate:       core.ValidateConfigMap,
		ValidateUpdate: core.ValidateConfigMapUpdate,
		Columns: []resource.Column[*configMap]{
			{Name: "Data", Description: configMap{}.SwaggerDoc()["data"], Cell: func(cm *configMap) any { return int64(len(cm.Data) + len(cm.BinaryData)) }},
		},
	})
}

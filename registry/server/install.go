package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	genericapi "k8s.io/apiserver/pkg/endpoints"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/coracle-k8s/coracle/apis/scheme"
	"github.com/coracle-k8s/coracle/registry/resource"
)

// installer puts endpoints under their URLs. It does what GenericAPIServer.InstallAPIGroups does, with our convertor and a
// type converter that need not be there before the first write.
type installer struct {
	scheme    *scheme.Scheme
	config    *genericapiserver.Config
	server    *genericapiserver.GenericAPIServer
	types     managedfields.TypeConverter
	endpoints resource.Storage
	yielding  *yielding
}

// install serves everything in the installer's endpoints.
func (i installer) install() error {
	for _, gvs := range i.versionsByGroup() {
		if err := i.installGroup(gvs); err != nil {
			return err
		}
	}
	return nil
}

// versionsByGroup lists the served versions of each group, the preferred one first.
func (i installer) versionsByGroup() (all [][]schema.GroupVersion) {
	index := map[string]int{}
	for _, gv := range scheme.Versions() {
		if len(i.endpoints[gv]) == 0 {
			continue
		}
		at, ok := index[gv.Group]
		if !ok {
			at = len(all)
			index[gv.Group] = at
			all = append(all, nil)
		}
		all[at] = append(all[at], gv)
	}
	return all
}

func (i installer) installGroup(gvs []schema.GroupVersion) error {
	root, manager := genericapiserver.APIGroupPrefix, i.server.AggregatedDiscoveryGroupManager
	if gvs[0].Group == "" {
		root, manager = genericapiserver.DefaultLegacyAPIPrefix, i.server.AggregatedLegacyDiscoveryGroupManager
	}
	served := i.servedVersions(gvs)
	group := metav1.APIGroup{Name: gvs[0].Group}
	for _, gv := range gvs {
		resources, _, err := i.version(root, gv, served).InstallREST(i.server.Handler.GoRestfulContainer)
		if err != nil {
			return fmt.Errorf("installing %s: %w", gv, err)
		}
		offer := apidiscoveryv2.APIVersionDiscovery{Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent, Version: gv.Version, Resources: resources}
		if gv.Group == i.yielding.group {
			i.yielding.offers[gv] = offer
		} else {
			manager.AddGroupVersion(gv.Group, offer)
		}
		i.adopt(gv)
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version})
	}
	if group.Name == "" {
		i.serveLegacyRoot()
		return nil
	}
	group.PreferredVersion = group.Versions[0]
	i.server.DiscoveryGroupManager.AddGroup(group)
	i.server.Handler.GoRestfulContainer.Add(discovery.NewAPIGroupHandler(i.server.Serializer, group).WebService())
	return nil
}

func (i installer) version(root string, gv schema.GroupVersion, served map[string][]string) *genericapi.APIGroupVersion {
	s, c := i.scheme, i.config
	return &genericapi.APIGroupVersion{
		GroupVersion: gv, Root: root, Storage: i.endpoints[gv], AllServedVersionsByResource: served,
		OptionsExternalVersion: &schema.GroupVersion{Version: "v1"},
		ParameterCodec:         s.Parameters, Serializer: s.Codecs,
		Creater: s.Scheme, Convertor: s.Scheme, ConvertabilityChecker: s.Scheme, Defaulter: s.Scheme, Typer: s.Scheme,
		UnsafeConvertor: hubConvertor{s.Scheme}, TypeConverter: i.types,
		Namer: runtime.Namer(meta.NewAccessor()), EquivalentResourceRegistry: i.server.EquivalentResourceRegistry,
		Admit: c.AdmissionControl, Authorizer: i.server.Authorizer,
		MinRequestTimeout: time.Duration(c.MinRequestTimeout) * time.Second, MaxRequestBodyBytes: c.MaxRequestBodyBytes,
	}
}

// adopt hands the endpoints' life and readiness to the server.
func (i installer) adopt(gv schema.GroupVersion) {
	for path, endpoint := range i.endpoints[gv] {
		i.server.RegisterDestroyFunc(endpoint.Destroy)
		if waits, ok := endpoint.(rest.StorageWithReadiness); ok {
			i.server.StorageReadinessHook.RegisterStorage(metav1.GroupVersionResource{Group: gv.Group, Version: gv.Version, Resource: path}, waits)
		}
	}
}

// servedVersions lists for each path of the group the versions it is served in.
func (i installer) servedVersions(gvs []schema.GroupVersion) map[string][]string {
	served := map[string][]string{}
	for _, gv := range gvs {
		for _, path := range slices.Sorted(maps.Keys(i.endpoints[gv])) {
			served[path] = append(served[path], gv.String())
		}
	}
	return served
}

// serveLegacyRoot answers /api.
func (i installer) serveLegacyRoot() {
	manager := i.server.AggregatedLegacyDiscoveryGroupManager
	root := genericapiserver.DefaultLegacyAPIPrefix
	handler := discovery.NewLegacyRootAPIHandler(i.config.DiscoveryAddresses, i.server.Serializer, root)
	wrapped := aggregated.WrapAggregatedDiscoveryToHandler(handler, manager, manager)
	i.server.Handler.GoRestfulContainer.Add(wrapped.GenerateWebService(root, metav1.APIVersions{}))
}

// merge adds endpoints to all. Two of the same path are a mistake.
func merge(all, endpoints resource.Storage) error {
	for gv, paths := range endpoints {
		if all[gv] == nil {
			all[gv] = map[string]rest.Storage{}
		}
		for path, endpoint := range paths {
			if _, ok := all[gv][path]; ok {
				return fmt.Errorf("%s is served twice", strings.Join([]string{gv.String(), path}, "/"))
			}
			all[gv][path] = endpoint
		}
	}
	return nil
}

// Package scheme builds the scheme of the API: which types are served, and which of them is the in-memory form (hub) of
// each kind.
//
// There are no internal types. The preferred version's type from k8s.io/api, or k8s.io/metrics, is registered under its own version and as the
// group's internal version too, so that the generic registry works on it without conversion. Only kinds that are served in
// a second version are converted.
package scheme

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// Scheme is the types of the API with the codecs for them. A value is complete but for the defaults, which the resources'
// declarations add; it must not change once it is used by several goroutines.
type Scheme struct {
	*runtime.Scheme
	// Codecs translate between objects and JSON, YAML and protobuf.
	Codecs serializer.CodecFactory
	// Parameters translates query strings to options.
	Parameters runtime.ParameterCodec
}

// hubElsewhere names kinds whose hub belongs to another group.
func hubElsewhere() map[schema.GroupKind]runtime.Object {
	return map[schema.GroupKind]runtime.Object{
		{Group: "events.k8s.io", Kind: "Event"}:     &corev1.Event{},
		{Group: "events.k8s.io", Kind: "EventList"}: &corev1.EventList{},
	}
}

// New builds a scheme. Every call makes a new one: nothing is shared.
func New() (*Scheme, error) {
	s := runtime.NewScheme()
	perGroup := map[string][]schema.GroupVersion{}
	for _, v := range served() {
		if err := v.add(s); err != nil {
			return nil, fmt.Errorf("adding the types of %s: %w", v.gv, err)
		}
		perGroup[v.gv.Group] = append(perGroup[v.gv.Group], v.gv)
	}
	for group, gvs := range perGroup {
		if err := s.SetVersionPriority(gvs...); err != nil {
			return nil, fmt.Errorf("ordering the versions of group %q: %w", group, err)
		}
	}
	addHubs(s)
	for _, add := range []func(*runtime.Scheme) error{addEventConversions, addAutoscalerConversions, addMetricsConversions, addQueryConversions} {
		if err := add(s); err != nil {
			return nil, fmt.Errorf("adding conversions: %w", err)
		}
	}
	metav1.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"})
	// Lists are written item by item: what one needs at once is an item's room, not the list's.
	codecs := serializer.NewCodecFactory(s, serializer.WithStreamingCollectionEncodingToJSON(), serializer.WithStreamingCollectionEncodingToProtobuf())
	return &Scheme{Scheme: s, Codecs: codecs, Parameters: runtime.NewParameterCodec(s)}, nil
}

// addHubs registers the most preferred version's type of every kind as the internal version, after the external one: the
// library takes the first registered name of a type as its kind.
func addHubs(s *runtime.Scheme) {
	elsewhere := hubElsewhere()
	for _, v := range served() {
		internal := schema.GroupVersion{Group: v.gv.Group, Version: runtime.APIVersionInternal}
		for kind, t := range s.KnownTypes(v.gv) {
			gvk := internal.WithKind(kind)
			if strings.HasPrefix(t.PkgPath(), "k8s.io/apimachinery/") || s.Recognizes(gvk) {
				continue // an options type of all groups, or a more preferred version is the hub
			}
			hub, ok := elsewhere[gvk.GroupKind()]
			if !ok {
				hub = reflect.New(t).Interface().(runtime.Object)
			}
			s.AddKnownTypeWithName(gvk, hub)
		}
	}
}

// Hubs are the kinds of objects, with lists, in the form in which they are kept in memory.
func (s *Scheme) Hubs() []schema.GroupVersionKind {
	var hubs []schema.GroupVersionKind
	for _, gv := range Versions() {
		internal := schema.GroupVersion{Group: gv.Group, Version: runtime.APIVersionInternal}
		inMemory := s.KnownTypes(internal)
		for kind, t := range s.KnownTypes(gv) {
			if inMemory[kind] == t && inMemory[kind+"List"] != nil {
				hubs = append(hubs, gv.WithKind(kind))
			}
		}
	}
	return hubs
}

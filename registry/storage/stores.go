package storage

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	flowcontrolrequest "k8s.io/apiserver/pkg/util/flowcontrol/request"

	"github.com/coracle-k8s/coracle/registry/tee"
)

// Stores opens the stores of a server's resources.
type Stores struct {
	Backend    *Backend
	Encryption *Encryption // nil: none
	// Tee hands what is stored to informers in this process.
	Tee     *tee.Hub
	Tracker flowcontrolrequest.StorageObjectCountTracker
}

// CodecFor says how objects of a resource are written: the codec and the version that it writes. It refuses resources
// that are not its own.
type CodecFor func(schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error)

// BuiltIn is the codec for objects of built-in types stored in a version, as protobuf.
func BuiltIn(codecs runtime.StorageSerializer, storedAs schema.GroupVersion, gr schema.GroupResource) (runtime.Codec, runtime.GroupVersioner, error) {
	return serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  runtime.ContentTypeProtobuf,
		StorageSerializer: codecs,
		StorageVersion:    storedAs,
		MemoryVersion:     schema.GroupVersion{Group: gr.Group, Version: runtime.APIVersionInternal},
	})
}

// Options are the library's options for the store of a built-in resource.
func (s *Stores) Options(gr schema.GroupResource, codec runtime.Codec, writes runtime.GroupVersioner) generic.RESTOptions {
	return s.options(gr, builtInPrefix(gr), codec, writes)
}

// Getter gives libraries that have resources of their own (custom resources, API services) their stores.
func (s *Stores) Getter(codecFor CodecFor) generic.RESTOptionsGetter { return &getter{s, codecFor} }

type getter struct {
	stores   *Stores
	codecFor CodecFor
}

func (g *getter) GetRESTOptions(gr schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	codec, writes, err := g.codecFor(gr)
	if err != nil {
		return generic.RESTOptions{}, fmt.Errorf("finding a codec for %s: %w", gr, err)
	}
	return g.stores.options(gr, gr.Group+"/"+gr.Resource, codec, writes), nil
}

func (s *Stores) options(gr schema.GroupResource, prefix string, codec runtime.Codec, writes runtime.GroupVersioner) generic.RESTOptions {
	c := storagebackend.NewDefaultConfig(Root, codec)
	c.EncodeVersioner = writes
	c.StorageObjectCountTracker = s.Tracker
	return generic.RESTOptions{
		StorageConfig:             c.ForResource(gr),
		Decorator:                 s.open,
		EnableGarbageCollection:   true,
		DeleteCollectionWorkers:   1,
		ResourcePrefix:            prefix,
		CountMetricPollPeriod:     time.Minute,
		StorageObjectCountTracker: s.Tracker,
	}
}

// builtInPrefix is where upstream keeps the objects of a built-in resource, so that its backups can be read.
func builtInPrefix(gr schema.GroupResource) string {
	switch gr {
	case schema.GroupResource{Resource: "replicationcontrollers"}:
		return "controllers"
	case schema.GroupResource{Resource: "endpoints"}:
		return "services/endpoints"
	case schema.GroupResource{Resource: "services"}:
		return "services/specs"
	case schema.GroupResource{Resource: "nodes"}:
		return "minions"
	case schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}:
		return "ingress"
	}
	return gr.Resource
}

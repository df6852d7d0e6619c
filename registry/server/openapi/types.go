package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// Types knows the structure of built-in types, for server-side apply. It reads the prebuilt types when it is first used.
func Types(builtIn fs.FS) managedfields.TypeConverter {
	return &types{load: sync.OnceValues(func() (managedfields.TypeConverter, error) { return load(builtIn) })}
}

type types struct {
	load func() (managedfields.TypeConverter, error)
}

func load(builtIn fs.FS) (managedfields.TypeConverter, error) {
	if builtIn == nil {
		return nil, errors.New("the server has no OpenAPI documents")
	}
	packed, err := fs.ReadFile(builtIn, "types.json.gz")
	if err != nil {
		return nil, fmt.Errorf("reading the types: %w", err)
	}
	encoded, err := (&document{packed: packed}).content()
	if err != nil {
		return nil, err
	}
	var schemas map[string]*spec.Schema
	if err := json.Unmarshal(encoded, &schemas); err != nil {
		return nil, fmt.Errorf("reading the types: %w", err)
	}
	converter, err := managedfields.NewTypeConverter(schemas, false)
	if err != nil {
		return nil, fmt.Errorf("understanding the types: %w", err)
	}
	return converter, nil
}

func (t *types) ObjectToTyped(o runtime.Object, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	converter, err := t.load()
	if err != nil {
		return nil, err
	}
	return converter.ObjectToTyped(o, options...)
}

func (t *types) TypedToObject(v *typed.TypedValue) (runtime.Object, error) {
	converter, err := t.load()
	if err != nil {
		return nil, err
	}
	return converter.TypedToObject(v)
}

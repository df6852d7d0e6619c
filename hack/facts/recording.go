package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// object is any JSON object.
type object = map[string]any

// recording is what one version of upstream serves and has stored after its start.
type recording struct {
	dir string
	// lists are stored objects by file name: clusterroles, flowschemas.
	lists map[string][]object
	// discovery has the served resources and subresources, definitions the OpenAPI types by name.
	discovery   []object
	definitions map[string]object
	metrics     map[string]bool
	answers     []answer
}

// answer is one request and what upstream answered.
type answer struct {
	ID, Method, Path string
	Body             any
	CType, Accept    string
	Want             object
}

var listNames = []string{
	"clusterroles", "clusterrolebindings", "roles", "rolebindings",
	"flowschemas", "prioritylevelconfigurations", "priorityclasses", "apiservices",
}

func open(dir string) (*recording, error) {
	r := &recording{dir: dir, lists: map[string][]object{}, metrics: map[string]bool{}}
	var errs []error
	for _, name := range listNames {
		var list []object
		errs = append(errs, decode(filepath.Join(dir, name+".json"), &list))
		r.lists[name] = list
	}
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics.txt"))
	for line := range strings.Lines(string(metrics)) {
		r.metrics[strings.TrimSpace(line)] = true
	}
	return r, errors.Join(append(errs, err,
		decode(filepath.Join(dir, "discovery.json"), &r.discovery),
		decode(filepath.Join(dir, "openapi-v2-definitions.json.gz"), &r.definitions),
		decode(filepath.Join(dir, "behaviour.json.gz"), &r.answers),
	)...)
}

// decode reads a file of JSON, compressed or not.
func decode(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
	if err := json.NewDecoder(in).Decode(into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// nameOf is an object's namespace and name.
func nameOf(o object) string {
	meta, _ := o["metadata"].(object)
	name, _ := meta["name"].(string)
	if namespace, _ := meta["namespace"].(string); namespace != "" {
		return namespace + "/" + name
	}
	return name
}

// compactJSON is a value on one line, its keys in order.
func compactJSON(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

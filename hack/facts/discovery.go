package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const apiTestdata = "e2e/api/testdata"

// writeDiscovery copies what is served, and the objects that the requests were made from, which tests create:
// files that were adapted stay.
func writeDiscovery(r *recording) error {
	objects, err := filepath.Glob(filepath.Join(r.dir, "objects", "*.yaml"))
	if err != nil {
		return err
	}
	errs := []error{copyFile(filepath.Join(r.dir, "discovery.json"), filepath.Join(apiTestdata, "discovery.json"))}
	for _, file := range objects {
		to := filepath.Join(apiTestdata, "objects", filepath.Base(file))
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, copyFile(file, to))
		}
	}
	return errors.Join(errs...)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

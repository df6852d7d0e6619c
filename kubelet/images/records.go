package images

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// records keeps on disk which images were pulled with what, and which are being pulled: in a folder that is laid out as upstream's
// image_manager, so that a kubelet's own tools read it.
type records struct{ dir string }

const unfinished = ".tmp"

func (r records) pulledDir() string  { return filepath.Join(r.dir, "pulled") }
func (r records) pullingDir() string { return filepath.Join(r.dir, "pulling") }

// fileOf is the name of an image's file.
func fileOf(image string) string { return fmt.Sprintf("sha256-%x", sha256.Sum256([]byte(image))) }

func metaOf(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: kubeletv1beta1.SchemeGroupVersion.String()}
}

// read reads all, by their files; pulling holds 0 for each. A record that cannot be read is there and empty: its image is nobody's
// until somebody pulls it again.
func (r records) read() (pulled map[string]kubeletv1beta1.ImagePulledRecord, pulling map[string]int, err error) {
	pulled, pulling = map[string]kubeletv1beta1.ImagePulledRecord{}, map[string]int{}
	names, err := list(r.pulledDir())
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		var record kubeletv1beta1.ImagePulledRecord
		content, err := os.ReadFile(filepath.Join(r.pulledDir(), name))
		if err == nil {
			err = json.Unmarshal(content, &record)
		}
		if err != nil {
			klog.ErrorS(err, "Reading who may use an image: it must be pulled again", "file", filepath.Join(r.pulledDir(), name))
			record = kubeletv1beta1.ImagePulledRecord{}
		}
		pulled[name] = record
	}
	names, err = list(r.pullingDir())
	for _, name := range names {
		pulling[name] = 0
	}
	return pulled, pulling, err
}

// list returns the files of a folder, which it makes. What was left half written goes.
func list(dir string) (names []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), unfinished) {
			names = append(names, e.Name())
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			klog.ErrorS(err, "Removing a record that was not finished", "file", e.Name())
		}
	}
	return names, nil
}

func (r records) write(record kubeletv1beta1.ImagePulledRecord) error {
	record.TypeMeta = metaOf("ImagePulledRecord")
	return writeWhole(r.pulledDir(), fileOf(record.ImageRef), record)
}

func (r records) remove(file string) error { return removed(filepath.Join(r.pulledDir(), file)) }

func (r records) begin(image string) error {
	if _, err := os.Stat(filepath.Join(r.pullingDir(), fileOf(image))); err == nil {
		return nil
	}
	return writeWhole(r.pullingDir(), fileOf(image), kubeletv1beta1.ImagePullIntent{TypeMeta: metaOf("ImagePullIntent"), Image: image})
}

func (r records) end(file string) error { return removed(filepath.Join(r.pullingDir(), file)) }

func removed(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeWhole writes a file so that it has either the old content or the new, also when the machine loses power: a record that
// came out empty would be one that nobody can read.
func writeWhole(dir, name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, name+unfinished), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

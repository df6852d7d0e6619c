package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	containerdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
)

// record is the file beside archives that says which are loaded.
const record = ".loaded.json"

// loaded is what is remembered of an archive: it is loaded again when it changed or an image of it is gone.
type loaded struct {
	Size     int64
	Modified time.Time
	Images   []string
}

// LoadDir imports all archives in a folder (*.tar, also with .gz or .zst) into the containerd that serves on the unix socket,
// those excepted that are loaded already. One that cannot be read does not keep back the others. progress is told of each
// that is imported. A folder that does not exist is empty. Images of archives in the folder are not removed when the disk
// fills: there may be no registry to bring them back.
func LoadDir(ctx context.Context, socket, dir string, progress func(archive string, images []string, err error)) error {
	archives, err := archivesIn(dir)
	before := readRecord(dir)
	if err != nil || len(archives)+len(before) == 0 {
		return err
	}
	c, err := client.New(socket, client.WithDefaultNamespace(namespace))
	if err != nil {
		return fmt.Errorf("reaching containerd on %s: %w", socket, err)
	}
	defer c.Close()
	now := map[string]loaded{}
	var failed []error
	for _, name := range archives {
		l, fresh, err := load(ctx, c, filepath.Join(dir, name), before[name])
		if err == nil {
			now[name] = l
		} else if old, ok := before[name]; ok {
			now[name] = old
		}
		if fresh {
			progress(name, l.Images, err)
		}
		failed = append(failed, err)
	}
	failed = append(failed, release(ctx, c.ImageService(), gone(before, now)), writeRecord(dir, before, now))
	return errors.Join(failed...)
}

// archivesIn lists archives by their names.
func archivesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		isArchive := slices.ContainsFunc([]string{".tar", ".tar.gz", ".tgz", ".tar.zst"}, func(s string) bool { return strings.HasSuffix(e.Name(), s) })
		if isArchive && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// load imports an archive unless it is loaded; fresh says whether it was not.
func load(ctx context.Context, c *client.Client, path string, before loaded) (l loaded, fresh bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return loaded{}, true, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return loaded{}, true, err
	}
	if before.Size == info.Size() && before.Modified.Equal(info.ModTime()) && haveAll(ctx, c, before.Images) {
		return before, false, nil
	}
	names, err := ImportWith(ctx, c, f, client.WithImageLabels(map[string]string{pinned: "pinned"}))
	if err != nil {
		return loaded{}, true, fmt.Errorf("loading %s: %w", path, err)
	}
	return loaded{Size: info.Size(), Modified: info.ModTime(), Images: names}, true, nil
}

// pinned is the label by which the container runtime interface says that an image is not to be collected.
const pinned = "io.cri-containerd.pinned"

// release lets images go whose archives have left the folder.
func release(ctx context.Context, store containerdimages.Store, gone []string) error {
	var failed []error
	for _, image := range gone {
		unpinned := containerdimages.Image{Name: image, Labels: map[string]string{pinned: ""}}
		if _, err := store.Update(ctx, unpinned, "labels."+pinned); err != nil && !errdefs.IsNotFound(err) {
			failed = append(failed, fmt.Errorf("releasing image %s: %w", image, err))
		}
	}
	return errors.Join(failed...)
}

// gone lists the images that archives held before and that none holds now, sorted.
func gone(before, now map[string]loaded) []string {
	held := map[string]bool{}
	for _, l := range now {
		for _, image := range l.Images {
			held[image] = true
		}
	}
	var list []string
	for _, l := range before {
		for _, image := range l.Images {
			if !held[image] {
				list = append(list, image)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func haveAll(ctx context.Context, c *client.Client, names []string) bool {
	for _, name := range names {
		if _, err := c.ImageService().Get(ctx, name); errdefs.IsNotFound(err) {
			return false
		}
	}
	return len(names) > 0
}

// readRecord reads what is remembered; nothing, where that is unreadable: everything is loaded again then.
func readRecord(dir string) map[string]loaded {
	var r map[string]loaded
	if content, err := os.ReadFile(filepath.Join(dir, record)); err != nil || json.Unmarshal(content, &r) != nil {
		return nil
	}
	return r
}

func writeRecord(dir string, before, now map[string]loaded) error {
	old, _ := json.Marshal(before)
	content, err := json.Marshal(now)
	if err != nil || string(old) == string(content) {
		return err
	}
	temporary := filepath.Join(dir, record+".new")
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, record))
}

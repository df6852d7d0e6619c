package host

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// LoadImage reads an archive of images into the node that runs on dataDir and returns their names.
func LoadImage(ctx context.Context, dataDir string, archive io.Reader) ([]string, error) {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, err
	}
	pid, err := runningPID(dataDir)
	if err != nil {
		return nil, err
	}
	if pid == 0 {
		return nil, fmt.Errorf("coracle does not run on %s; start it, or put the archive into %s", dataDir, filepath.Join(dataDir, "images"))
	}
	return images.Import(ctx, containerd.Endpoint(containerd.Config{DataDir: dataDir}), archive)
}

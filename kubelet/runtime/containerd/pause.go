package containerd

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/coracle-k8s/coracle/generated/runtime"
	"github.com/coracle-k8s/coracle/kubelet/images"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

func pauseProgram() (runtime.Program, error) {
	programs, err := runtime.Programs()
	if err != nil {
		return runtime.Program{}, err
	}
	i := slices.IndexFunc(programs, func(p runtime.Program) bool { return p.Name == "pause" })
	if i < 0 {
		return runtime.Program{}, errNoPause
	}
	return programs[i], nil
}

// pauseImage names the built-in image by the content of its only file, so that another program has another name.
func pauseImage() (string, error) {
	p, err := pauseProgram()
	if err != nil {
		return "", err
	}
	return "coracle.internal/pause:" + p.SHA256[:12], nil
}

// importPause makes the built-in image known unless it is, and waits until sandboxes can use it.
func (r *Runtime) importPause(ctx context.Context, name string) error {
	c, err := client.New(r.endpoint, client.WithDefaultNamespace(namespace))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ImageService().Get(ctx, name); errdefs.IsNotFound(err) {
		content, err := pauseArchive(name)
		if err != nil {
			return err
		}
		if _, err := images.ImportWith(ctx, c, bytes.NewReader(content)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	conn, ok := c.Conn().(*grpc.ClientConn)
	if !ok {
		return fmt.Errorf("containerd's client has no connection")
	}
	return known(ctx, runtimeapi.NewImageServiceClient(conn), name)
}

// known waits until the container runtime interface lists the image: it learns of it by an event.
func known(ctx context.Context, c runtimeapi.ImageServiceClient, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		got, err := c.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: name}})
		if err != nil {
			return err
		}
		if got.GetImage() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// pauseArchive is the built-in image as an archive.
func pauseArchive(name string) ([]byte, error) {
	p, err := pauseProgram()
	if err != nil {
		return nil, err
	}
	packed, err := runtime.Packed(p)
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	program, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	return archive.Bytes(archive.Image{
		Name:       name,
		Files:      []archive.File{{Path: "pause", Mode: 0o755, Content: program}},
		Entrypoint: []string{"/pause"},
		User:       "65535:65535",
	})
}

// Package images keeps the images that containers need: pulled, imported from archives, and removed when the disk fills.
package images

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/client"
	"github.com/klauspost/compress/zstd"
)

// namespace is where the container runtime interface looks for images within containerd.
const namespace = "k8s.io"

// Import reads an archive of images as docker and OCI tools write them, plain or compressed with gzip or zstd, into the
// containerd that serves on the unix socket, unpacks them for containers and returns their names. Importing an image again
// moves its name to the new content.
func Import(ctx context.Context, socket string, archive io.Reader) ([]string, error) {
	c, err := client.New(socket, client.WithDefaultNamespace(namespace))
	if err != nil {
		return nil, fmt.Errorf("reaching containerd on %s: %w", socket, err)
	}
	defer c.Close()
	return ImportWith(ctx, c, archive)
}

// ImportWith is Import by a client that is there already; its default namespace must be the container runtime interface's.
func ImportWith(ctx context.Context, c *client.Client, archive io.Reader, options ...client.ImportOpt) ([]string, error) {
	plain, done, err := decompress(archive)
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	defer done()
	imported, err := c.Import(ctx, plain, options...)
	if err != nil {
		return nil, fmt.Errorf("importing the archive: %w", err)
	}
	snapshotter, err := snapshotter(ctx, c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, i := range imported {
		if err := client.NewImage(c, i).Unpack(ctx, snapshotter); err != nil {
			return names, fmt.Errorf("unpacking image %s: %w", i.Name, err)
		}
		names = append(names, i.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the archive has no named image for this machine")
	}
	return names, nil
}

// snapshotter is the one that this containerd uses: overlay where it is loaded, else the one that copies.
func snapshotter(ctx context.Context, c *client.Client) (string, error) {
	plugins, err := c.IntrospectionService().Plugins(ctx, `type==io.containerd.snapshotter.v1,id==overlayfs`)
	if err != nil {
		return "", fmt.Errorf("asking containerd for its snapshotters: %w", err)
	}
	for _, p := range plugins.Plugins {
		if p.InitErr == nil {
			return "overlayfs", nil
		}
	}
	return "native", nil
}

// decompress looks at the first bytes to tell how the stream is compressed.
func decompress(r io.Reader) (io.Reader, func(), error) {
	buffered := bufio.NewReaderSize(r, 1<<20)
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { z.Close() }, nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return buffered, func() {}, nil
}

package peer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	carried "github.com/coracle-k8s/coracle/generated/runtime"
	"github.com/coracle-k8s/coracle/kubelet/images/archive"
)

const (
	pauseImage = "registry.k8s.io/pause:3.10.2"
	dnsImage   = "registry.k8s.io/coredns/coredns:v1.14.7"
)

// Images are archives of the images that a cluster runs itself.
type Images struct{ pause, dns string }

// MakeImages writes the archives into a folder: CoreDNS from a folder of programs, and the pause program that Coracle has, too.
func MakeImages(dir, programs string) (Images, error) {
	made := Images{pause: filepath.Join(dir, "pause.tar"), dns: filepath.Join(dir, "coredns.tar")}
	pause, err := pauseProgram()
	if err != nil {
		return made, err
	}
	dns, err := os.ReadFile(filepath.Join(programs, "coredns"))
	if err != nil {
		return made, err
	}
	return made, errors.Join(
		write(made.pause, archive.Image{
			Name: pauseImage, Files: []archive.File{{Path: "pause", Mode: 0o755, Content: pause}}, Entrypoint: []string{"/pause"}, User: "65535:65535",
		}),
		write(made.dns, archive.Image{
			Name: dnsImage, Files: []archive.File{{Path: "coredns", Mode: 0o755, Content: dns}}, Entrypoint: []string{"/coredns"},
		}),
	)
}

func write(path string, image archive.Image) error {
	content, err := archive.Bytes(image)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

func pauseProgram() ([]byte, error) {
	all, err := carried.Programs()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(p carried.Program) bool { return p.Name == "pause" })
	if i < 0 {
		return nil, fmt.Errorf("no pause among the carried programs: %w", carried.ErrNotBuilt)
	}
	packed, err := carried.Packed(all[i])
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(packed, nil)
}

package host

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/cluster"
	apiserver "github.com/coracle-k8s/coracle/registry/server"
	"github.com/coracle-k8s/coracle/registry/storage"
)

// Etcd is the embedded etcd of a server's data directory: of the running server, by the administrator's kubeconfig there, or opened
// here if none runs.
type Etcd struct{ dataDir string }

// OpenEtcd looks for the data directory.
func OpenEtcd(dataDir string) (*Etcd, error) {
	dataDir, err := filepath.Abs(dataDir)
	return &Etcd{dataDir}, err
}

func (e *Etcd) dir() string { return filepath.Join(e.dataDir, "etcd") }

func (e *Etcd) keys() string { return filepath.Join(e.dataDir, "pki") }

// with calls online with a client of the running server, or offline with its etcd if no server runs. Nobody starts one meanwhile.
func (e *Etcd) with(ctx context.Context, online func(get func(method, path string) (*http.Response, error)) error, offline func(*storage.Upkeep) error) error {
	pid, err := runningPID(e.dataDir)
	if err != nil {
		return err
	}
	if pid != 0 {
		get, err := e.client(ctx)
		if err != nil {
			return err
		}
		return online(get)
	}
	if _, err := os.Stat(e.dir()); err != nil {
		return fmt.Errorf("%s has no embedded etcd: name the server's --data-dir: %w", e.dataDir, err)
	}
	held, err := lock(e.dataDir)
	if err != nil {
		return err
	}
	defer held.Close()
	last, err := readSaved(e.dataDir)
	if err != nil {
		return err
	}
	var quota int64
	if last.server != nil {
		quota = last.server.EtcdQuotaBytes()
	}
	b, err := storage.Embedded(ctx, e.dir(), quota)
	if err != nil {
		return err
	}
	defer b.Close()
	return offline(b.Upkeep)
}

func (e *Etcd) client(ctx context.Context) (func(method, path string) (*http.Response, error), error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(e.dataDir, cluster.AdminKubeconfig))
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return func(method, path string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, method, config.Host+apiserver.EtcdPath+path, http.NoBody)
		if err != nil {
			return nil, err
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("asking the server: %w", err)
		}
		if answer.StatusCode == http.StatusOK {
			return answer, nil
		}
		defer answer.Body.Close()
		why, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		if answer.StatusCode == http.StatusNotFound {
			return nil, errors.New("the server's etcd is not embedded: use etcdctl")
		}
		return nil, fmt.Errorf("the server says %s: %s", answer.Status, why)
	}, nil
}

// usage asks a running server.
func (e *Etcd) usage(ctx context.Context) (s apiserver.EtcdStatus, err error) {
	get, err := e.client(ctx)
	if err != nil {
		return s, err
	}
	answer, err := get(http.MethodGet, "status")
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// Status prints how full the database is, and of what.
func (e *Etcd) Status(ctx context.Context, out io.Writer) error {
	var s apiserver.EtcdStatus
	err := e.with(ctx, func(get func(string, string) (*http.Response, error)) error {
		answer, err := get(http.MethodGet, "status?contents=true")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(&s)
	}, func(u *storage.Upkeep) (err error) {
		s.Usage = u.Usage()
		s.Problem = s.Usage.Problem()
		s.Contents, err = u.Contents(ctx)
		return err
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "etcd\t%s\nrevision\t%d\nfile\t%s of %s\nin use\t%s\n", s.Version, s.Revision, mebibytes(s.Size), mebibytes(s.Quota), mebibytes(s.InUse))
	if s.Problem != "" {
		fmt.Fprintf(w, "problem\t%s\n", s.Problem)
	}
	fmt.Fprintf(w, "\nRESOURCE\tOBJECTS\tSIZE\n")
	for _, c := range s.Contents {
		fmt.Fprintf(w, "%s\t%d\t%s\n", c.Resource, c.Count, mebibytes(c.Bytes))
	}
	return w.Flush()
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// Defragment gives free pages back to the disk.
func (e *Etcd) Defragment(ctx context.Context) error {
	return e.with(ctx, func(get func(string, string) (*http.Response, error)) error {
		answer, err := get(http.MethodPost, "defragmentation")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}, func(u *storage.Upkeep) error { return u.Defragment(ctx) })
}

// keysSuffix is what the file with the keys of a snapshot has in addition to the snapshot's name.
const keysSuffix = ".keys.tar"

// Save makes a snapshot, as etcd's tools read it, and beside it, if asked to, an archive of the keys without which it is no cluster.
// Both are readable by their owner only. What is in the snapshot's place is replaced when the new one is whole.
func (e *Etcd) Save(ctx context.Context, path string, withKeys bool) error {
	err := e.with(ctx, func(get func(string, string) (*http.Response, error)) error {
		return storage.SaveSnapshot(path, func(w io.Writer) error {
			answer, err := get(http.MethodGet, "snapshot")
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			_, err = io.Copy(w, answer.Body)
			return err
		})
	}, func(u *storage.Upkeep) error {
		return storage.SaveSnapshot(path, func(w io.Writer) error { return u.SnapshotTo(w, func(int64) {}) })
	})
	if err != nil || !withKeys {
		return err
	}
	return archive(e.keys(), path+keysSuffix)
}

// archive writes a folder's files.
func archive(dir, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil { // one that was there before
		return err
	}
	w := tar.NewWriter(f)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), f.Sync()); err != nil {
		return fmt.Errorf("saving the keys in %s: %w", dir, err)
	}
	return nil
}

// Restore makes the state of a server that does not run from a snapshot, and with its keys, if asked to. What was there before is
// moved aside, and told.
func (e *Etcd) Restore(ctx context.Context, path string, withKeys bool, out io.Writer) error {
	held, err := lock(e.dataDir)
	if err != nil {
		return err
	}
	defer held.Close()
	if withKeys {
		aside, err := unpackKeys(path+keysSuffix, e.keys())
		if err != nil {
			return err
		}
		tellAside(out, aside)
	} else if _, err := os.Stat(e.keys()); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "there are no keys in %s: the server will make new ones, which cannot read the snapshot's Secrets; --with-keys restores them\n", e.dataDir)
	}
	aside, err := storage.Restore(ctx, path, e.dir())
	if err != nil {
		return err
	}
	tellAside(out, aside)
	fmt.Fprintf(out, "restored %s; start the server\n", path)
	return nil
}

func tellAside(out io.Writer, aside string) {
	if aside != "" {
		fmt.Fprintln(out, "what was there before is in", aside)
	}
}

// unpackKeys unpacks an archive beside dir and puts it in its place.
func unpackKeys(path, dir string) (aside string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("opening the snapshot's keys: %w", err)
	}
	defer f.Close()
	fresh := dir + ".restoring"
	if err := os.RemoveAll(fresh); err != nil {
		return "", err
	}
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(fresh) // no name in the archive leads out of it
	if err != nil {
		return "", err
	}
	defer root.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", path, err)
		}
		if err := unpack(root, h, r); err != nil {
			return "", fmt.Errorf("unpacking %s: %w", path, err)
		}
	}
	return storage.PutInPlace(fresh, dir)
}

func unpack(root *os.Root, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		if h.Name == "." || h.Name == "./" {
			return nil
		}
		return root.MkdirAll(h.Name, 0o700)
	case tar.TypeReg:
		f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Sync(), f.Close())
	}
	return nil // keys are plain files
}

// Package host makes a cluster part of a machine: starts it in the background, stops it, takes it away again.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

// ChangedFlags are the flags that the user gave, as a server takes them.
func ChangedFlags(f *pflag.FlagSet) (args []string) {
	f.Visit(func(flag *pflag.Flag) {
		if flag.Name == "timeout" {
			return
		}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				args = append(args, "--"+flag.Name+"="+value)
			}
			return
		}
		args = append(args, "--"+flag.Name+"="+flag.Value.String())
	})
	return args
}

// Up starts a server with the given flags in the background, unless one runs, waits until the cluster is usable and puts it
// into the user's kubeconfig. Again is harmless. Progress goes to out.
func Up(ctx context.Context, o cluster.Options, flags []string, timeout time.Duration, out io.Writer) error {
	if timeout <= 0 {
		return fmt.Errorf("--timeout: %s is no time to wait", timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if !o.ControlPlaneOnly {
		if err := preflight(); err != nil {
			return err
		}
	}
	if err := checkOurs(o.DataDir); err != nil {
		return err
	}
	turn, err := waitTurn(ctx, o.DataDir)
	if err != nil {
		return err
	}
	defer turn.Close()
	began := time.Now()
	progress := func(format string, args ...any) {
		fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	s, err := startServer(ctx, o, flags, progress)
	if err != nil {
		return err
	}
	if err := s.waitUsable(ctx, o, progress); err != nil {
		return err
	}
	file, err := usersKubeconfig()
	if err != nil {
		return err
	}
	name, err := mergeContext(file, o.Admin(), o.DataDir)
	if err != nil {
		return fmt.Errorf("the cluster is usable, with --kubeconfig %s: %w", o.Admin(), err)
	}
	progress("context %q is in %s", name, file.path)
	printNext(out, o, file, name)
	return nil
}

func printNext(out io.Writer, o cluster.Options, file kubeconfigFile, name string) {
	kubectl := "kubectl"
	if config, err := clientcmd.LoadFromFile(file.path); err != nil || config.CurrentContext != name {
		kubectl += " --context " + name
	}
	if !onPath("kubectl") {
		kubectl = executable() + " " + kubectl
	}
	second := kubectl + " create deployment web --image=nginx"
	if o.ControlPlaneOnly {
		second = kubectl + " create namespace first"
	}
	fmt.Fprintf(out, "\nThe cluster is usable. Try:\n\n    %s get pods --all-namespaces\n    %s\n", kubectl, second)
}

// server is the background process as up sees it.
type server struct {
	pid     func() (int, error)
	logFile string // "" where systemd's journal has the log
	logHint string
}

// startServer starts the server unless it runs already; with other flags than those it runs with that is an error.
func startServer(ctx context.Context, o cluster.Options, flags []string, progress func(string, ...any)) (*server, error) {
	unit := unitOf(o.DataDir)
	s := &server{
		pid:     func() (int, error) { return runningPID(o.DataDir) },
		logFile: filepath.Join(o.DataDir, logName),
	}
	s.logHint = "see " + s.logFile
	if systemdRuns() {
		s.logFile, s.logHint = "", "see journalctl -u "+unit.name
	}
	pid, err := s.pid()
	if err != nil {
		return nil, err
	}
	if pid != 0 {
		saved, err := os.ReadFile(filepath.Join(o.DataDir, flagsFile))
		if err == nil && len(flags) > 0 && !slices.Equal(decodeFlags(saved), flags) {
			return nil, fmt.Errorf("the cluster runs already, with other flags (%s); coracle down stops it", strings.Join(decodeFlags(saved), " "))
		}
		progress("the server runs already (process %d)", pid)
		return s, nil
	}
	if err := prepare(o, flags); err != nil {
		return nil, err
	}
	args := append([]string{"server", "--data-dir=" + o.DataDir}, withoutDataDir(flags)...)
	if systemdRuns() {
		progress("starting %s", unit.name)
		return s, unit.start(ctx, args)
	}
	progress("starting the server, log in %s", s.logFile)
	exited, err := detach(append(args, "--log-file="+s.logFile), s.logFile)
	if err != nil {
		return nil, err
	}
	s.pid = func() (int, error) {
		select {
		case <-exited:
			return 0, nil
		default:
			return -1, nil
		}
	}
	return s, nil
}

// prepare records the flags, and forgets where the last server was reached: the next one may have another port or authority.
func prepare(o cluster.Options, flags []string) error {
	if err := os.Remove(o.Admin()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(filepath.Join(o.DataDir, flagsFile), encodeFlags(flags), 0o600, -1, -1)
}

package host

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/coracle-k8s/coracle/kubelet/runtime/containerd"
)

// Log says where a server's log goes.
type Log struct {
	// File, rotated by size; stderr if empty.
	File string
	// Verbosity as klog's -v.
	Verbosity int
}

const (
	logSize  = 16 << 20 // bytes of one file
	logFiles = 3        // old ones kept
)

// start sends the process's log there, and stdout and stderr with it: what a crash says belongs into the log.
func (l Log) start() error {
	var out io.Writer = os.Stderr
	if l.File != "" {
		file, err := openRotated(l.File)
		if err != nil {
			return fmt.Errorf("opening the log: %w", err)
		}
		out = file
	}
	flags := flag.NewFlagSet("log", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := flags.Set("v", strconv.Itoa(l.Verbosity)); err != nil {
		return fmt.Errorf("setting the log's verbosity: %w", err)
	}
	// Not klog's own files and flags: containerd, when it starts, sets them as it wants them.
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(l.Verbosity)))
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true), klog.WriteKlogBuffer(func(line []byte) {
		_, _ = out.Write(line) // there is nowhere to tell that the log cannot be written
	}))
	RouteLibraryLogs(logger)
	return nil
}

// RouteLibraryLogs sends what libraries log by loggers of their own to to. It is for main.
func RouteLibraryLogs(to logr.Logger) {
	crlog.SetLogger(to.V(2).WithName("controllers")) // each controller's start is no news
	containerd.RouteLibraryLogs(to.WithName("containerd"))
}

// rotated is a log file that is renamed when it is full.
type rotated struct {
	mu   sync.Mutex
	path string
	file *os.File
	size int64
}

var _ io.Writer = (*rotated)(nil)

func openRotated(path string) (*rotated, error) {
	r := &rotated{path: path}
	return r, r.open()
}

func (r *rotated) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size+int64(len(p)) > logSize {
		if err := r.rotate(); err != nil {
			fmt.Fprintf(os.Stderr, "rotating the log: %v\n", err) // the old file goes on
		}
	}
	n, err := r.file.Write(p)
	r.size += int64(n)
	return n, err
}

func (r *rotated) rotate() error {
	for i := logFiles; i > 0; i-- {
		from := r.path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		if err := os.Rename(from, r.path+"."+strconv.Itoa(i)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return r.open()
}

func (r *rotated) open() error {
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil {
			f.Close()
			return fmt.Errorf("redirecting stderr: %w", err)
		}
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.size = f, info.Size()
	return nil
}

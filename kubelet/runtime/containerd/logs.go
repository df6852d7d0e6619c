package containerd

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/log"
	"github.com/go-logr/logr"
	"github.com/sirupsen/logrus"
)

// RouteLibraryLogs sends what containerd's packages log outside any server, warnings and worse, to to. It changes the
// library's global logger, so it is for a program's main, once.
func RouteLibraryLogs(to logr.Logger) {
	logger := newLogger(to, nil)
	log.L = logrus.NewEntry(logger)
	standard := logrus.StandardLogger()
	standard.SetOutput(io.Discard)
	standard.SetLevel(logrus.WarnLevel)
	standard.ReplaceHooks(logger.Hooks)
}

// withLogger makes everything that logs by the context's logger log for r, warnings and worse. What would end the process
// makes r fail instead and ends the goroutine.
func withLogger(ctx context.Context, to logr.Logger, r *Runtime) context.Context {
	return log.WithLogger(ctx, logrus.NewEntry(newLogger(to, r)))
}

func newLogger(to logr.Logger, r *Runtime) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.SetLevel(logrus.WarnLevel)
	logger.AddHook(hook{to: to, of: r})
	if r != nil {
		logger.ExitFunc = func(int) { runtime.Goexit() }
	}
	return logger
}

// harmless are beginnings of what is logged as a warning and is none on a node.
var harmless = []string{
	"failed check for fsverity support",
	"failed to load cni during init",
	"hugetlb cgroup controller is absent",
	"failed sending message on channel", // a shim that ended did not wait for the answer
}

// hook hands logrus's entries on.
type hook struct {
	to logr.Logger
	of *Runtime // nil for the library's global logger
}

// Levels are all that the logger lets through.
func (h hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire is called for each entry.
func (h hook) Fire(e *logrus.Entry) error {
	if slices.ContainsFunc(harmless, func(s string) bool { return strings.HasPrefix(e.Message, s) }) {
		return nil
	}
	if h.of != nil && h.of.isStopped() {
		return nil // parts that are being stopped complain that others are gone
	}
	var fields []any
	var cause error
	for key, value := range e.Data {
		if err, ok := value.(error); ok && key == logrus.ErrorKey {
			cause = err
			continue
		}
		fields = append(fields, key, value)
	}
	if e.Level <= logrus.FatalLevel && h.of != nil {
		h.of.fail(fmt.Errorf("containerd: %s: %w", e.Message, cause))
	}
	if e.Level <= logrus.ErrorLevel {
		h.to.Error(cause, e.Message, fields...)
		return nil
	}
	if cause != nil {
		fields = append(fields, "err", cause)
	}
	h.to.Info(e.Message, fields...)
	return nil
}

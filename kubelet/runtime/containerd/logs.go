package containerd

import (
	"context"
	"fmt"
	"io"
	"runtime"

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

// withLogger makes everything that logs by the context's logger log to to, warnings and worse. What would end the process
// calls failed instead and ends the goroutine.
func withLogger(ctx context.Context, to logr.Logger, failed func(error)) context.Context {
	return log.WithLogger(ctx, logrus.NewEntry(newLogger(to, failed)))
}

func newLogger(to logr.Logger, failed func(error)) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	logger.SetLevel(logrus.WarnLevel)
	logger.AddHook(hook{to: to, failed: failed})
	if failed != nil {
		logger.ExitFunc = func(int) { runtime.Goexit() }
	}
	return logger
}

// hook hands logrus's entries on.
type hook struct {
	to     logr.Logger
	failed func(error)
}

// Levels are all that the logger lets through.
func (h hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire is called for each entry.
func (h hook) Fire(e *logrus.Entry) error {
	var fields []any
	var cause error
	for key, value := range e.Data {
		if err, ok := value.(error); ok && key == logrus.ErrorKey {
			cause = err
			continue
		}
		fields = append(fields, key, value)
	}
	if e.Level <= logrus.FatalLevel && h.failed != nil {
		h.failed(fmt.Errorf("containerd: %s: %w", e.Message, cause))
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

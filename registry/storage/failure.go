package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

var errNewer = errors.New("it can only be used by a version of coracle that has that one")

// advice says what can be done about what keeps etcd from working on dir.
func advice(err error, dir string) string {
	switch {
	case errors.Is(err, errNewer):
		return "use such a version, or a backup of " + dir + " from before"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "nothing is lost: make room on the disk and start coracle again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return "run coracle as the user who owns " + dir + " and may write there"
	case errors.Is(err, unix.EIO):
		return "see the kernel's log (dmesg) on the disk"
	}
	return "put a backup of " + dir + " in its place, or delete it, and all objects of the cluster with it"
}

// stopped is what etcd says where it would end its process.
type stopped struct {
	message string
	cause   error // nil if it does not say
}

// Error implements error.
func (s stopped) Error() string {
	if s.cause == nil {
		return s.message
	}
	return s.message + ": " + s.cause.Error()
}

// Unwrap returns the cause.
func (s stopped) Unwrap() error { return s.cause }

// fatality is what happens where etcd would end its process: a panic with a stopped, from which a start recovers. Once it runs, a
// member that could not write must not go on, but nothing else need end so abruptly: the goroutine ends, failed is closed, and
// who uses the member ends in order.
type fatality struct {
	dir     string
	running atomic.Bool

	once   sync.Once
	failed chan struct{}
	cause  error
}

// why is nil unless the member has failed.
func (f *fatality) why() error {
	select {
	case <-f.failed:
		return f.cause
	default:
		return nil
	}
}

var _ zapcore.CheckWriteHook = (*fatality)(nil)

// OnWrite implements zapcore.CheckWriteHook.
func (f *fatality) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	why := stopped{message: e.Message}
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok && field.Type == zapcore.ErrorType {
			why.cause = err
		}
	}
	if !f.running.Load() {
		panic(why)
	}
	f.once.Do(func() {
		f.cause = fmt.Errorf("etcd on %s cannot go on: %w", f.dir, why)
		if system := unix.Errno(0); errors.As(why, &system) {
			f.cause = fmt.Errorf("%w; %s", f.cause, advice(why, f.dir))
		}
		klog.ErrorS(f.cause, "The storage has failed")
		close(f.failed)
	})
	runtime.Goexit()
}

// quietLogger reports errors, on standard error, besides those that are told in another way: by the error that a start ends with, by
// end, and by what etcd does about those of its database.
func quietLogger(end *fatality) (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.Level = zap.NewAtomicLevelAt(zapcore.ErrorLevel)
	c.DisableStacktrace = true
	return c.Build(zap.WithFatalHook(end), zap.WithPanicHook(end), zap.WrapCore(func(core zapcore.Core) zapcore.Core { return withoutEcho{core} }))
}

type withoutEcho struct{ zapcore.Core }

// Check implements zapcore.Core.
func (c withoutEcho) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	switch {
	case e.Level > zapcore.ErrorLevel, e.LoggerName == "bbolt", e.Message == "bootstrap failed":
		return checked
	case e.Message == "failed to update storage version": // which every new member reports until it has had its first snapshot
		return checked
	}
	return c.Core.Check(e, checked)
}

// With implements zapcore.Core.
func (c withoutEcho) With(fields []zapcore.Field) zapcore.Core {
	return withoutEcho{c.Core.With(fields)}
}

package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
)

// Limits of a termination message.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
const (
	maxMessageBytes    = 4096
	maxLogMessageBytes = 2048
	maxLogMessageLines = 80
)

// terminationMessage joins what the runtime says about a container's end with what the container itself wrote.
func terminationMessage(ctx context.Context, st *runtimeapi.ContainerStatus) string {
	said := ""
	useLogs := st.Annotations[annotationMessagePolicy] == string(corev1.TerminationMessageFallbackToLogsOnError) && st.ExitCode != 0
	if path := st.Annotations[annotationMessagePath]; path != "" {
		for _, m := range st.Mounts {
			if m.ContainerPath != path {
				continue
			}
			data, err := readEnd(m.HostPath, maxMessageBytes)
			switch {
			case err == nil:
				said = string(data)
			case !errors.Is(err, fs.ErrNotExist):
				said = fmt.Sprintf("Error on reading termination log %s: %v", m.HostPath, err)
			}
		}
	}
	if said == "" && useLogs && st.LogPath != "" {
		said = endOfLog(ctx, st.LogPath)
	}
	if st.Message == "" {
		return said
	}
	if said == "" {
		return st.Message
	}
	return st.Message + ": " + said
}

// readEnd reads the end of a file that the container made: where that is a pipe, nobody may ever write into it.
func readEnd(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if size := info.Size(); size > limit {
		if _, err := f.Seek(size-limit, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

func endOfLog(ctx context.Context, path string) string {
	lines := int64(maxLogMessageLines)
	var out tailBuffer
	if err := logs.ReadLogs(ctx, path, "", &logs.LogOptions{TailLines: &lines}, nil, &out, &out); err != nil {
		return fmt.Sprintf("Error on reading termination message from logs: %v", err)
	}
	return out.String()
}

// tailBuffer keeps the last maxLogMessageBytes written.
type tailBuffer struct{ bytes.Buffer }

// Write never fails.
func (b *tailBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p)
	if over := b.Len() - maxLogMessageBytes; over > 0 {
		b.Next(over)
	}
	return len(p), nil
}

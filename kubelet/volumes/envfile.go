package volumes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin/pathrs-lite"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxEnvFile bounds a file of variables.
const maxEnvFile = 64 * 1024

// EnvFile returns a key of a file of variables in an emptyDir volume.
func (v *Volumes) EnvFile(pod *corev1.Pod, volume, path, key string) (value string, ok bool, err error) {
	handle, err := openBeneath(v.dir(pod.UID, "empty-dir", volume), path)
	if err != nil {
		return "", false, fmt.Errorf("opening environment file %q: %w", path, err)
	}
	defer handle.Close()
	// The Pod made it: opening a pipe would wait until somebody writes, opening a device may do anything.
	info, err := handle.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return "", false, fmt.Errorf("opening environment file %q: %w", path, err)
	}
	f, err := securejoin.Reopen(handle, os.O_RDONLY)
	if err != nil {
		return "", false, fmt.Errorf("opening environment file %q: %w", path, err)
	}
	defer f.Close()
	vars, err := parseEnvFile(f)
	if err != nil {
		return "", false, fmt.Errorf("reading environment file %q: %w", path, err)
	}
	value, ok = vars[key]
	return value, ok, nil
}

// parseEnvFile reads lines NAME='value'. A value is in single quotes, in which everything stands for itself and lines
// may end; empty lines and those that begin with # are left out.
func parseEnvFile(r io.Reader) (map[string]string, error) {
	vars := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(r, maxEnvFile))
	lines.Buffer(nil, maxEnvFile)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(value, "'") {
			return nil, fmt.Errorf("invalid line %q: must be NAME='value'", line)
		}
		if problems := validation.IsRelaxedEnvVarName(name); len(problems) > 0 {
			return nil, fmt.Errorf("invalid variable name %q: %s", name, problems[0])
		}
		value = value[1:]
		for !strings.Contains(value, "'") {
			if !lines.Scan() {
				return nil, fmt.Errorf("value of %s has no closing quote", name)
			}
			value += "\n" + lines.Text()
		}
		value, rest, _ := strings.Cut(value, "'")
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
			return nil, fmt.Errorf("unexpected text after the value of %s", name)
		}
		vars[name] = value
	}
	return vars, lines.Err()
}

package volumes

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxEnvFile bounds a file of variables.
const maxEnvFile = 64 * 1024

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

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/coracle-k8s/coracle/cmd/cluster"
)

const unitDir = "/etc/systemd/system"

// systemdRuns tells by the directory that sd_booted(3) names.
func systemdRuns() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// systemdUnit is the service that runs a data directory's server, from boot on.
type systemdUnit struct{ name string }

func unitOf(dataDir string) systemdUnit {
	if dataDir == cluster.DefaultDataDir {
		return systemdUnit{"coracle.service"}
	}
	return systemdUnit{"coracle-" + unit.UnitNamePathEscape(dataDir) + ".service"}
}

func (u systemdUnit) path() string { return filepath.Join(unitDir, u.name) }

// content is the unit's file. Containers are in cgroups of their own and outlive the server.
func (u systemdUnit) content(args []string) ([]byte, error) {
	quoted := make([]string, 0, len(args)+1)
	for _, a := range append([]string{executable()}, args...) {
		quoted = append(quoted, quoteForSystemd(a))
	}
	option := unit.NewUnitOption
	var b bytes.Buffer
	_, err := b.ReadFrom(unit.Serialize([]*unit.UnitOption{
		option("Unit", "Description", "Coracle, a Kubernetes cluster in one program"),
		option("Unit", "Wants", "network-online.target"),
		option("Unit", "After", "network-online.target"),
		option("Unit", "StartLimitIntervalSec", "0"), // what keeps it from starting, a full disk say, may end by itself
		option("Service", "Type", "notify"),
		option("Service", "ExecStart", strings.Join(quoted, " ")),
		option("Service", "KillMode", "process"),
		option("Service", "Delegate", "yes"),
		option("Service", "Restart", "always"),
		option("Service", "RestartSec", "1"),
		option("Service", "TimeoutStartSec", "0"),
		option("Service", "LimitNOFILE", "1048576"),
		option("Service", "TasksMax", "infinity"),
		option("Service", "OOMScoreAdjust", "-999"),
		option("Install", "WantedBy", "multi-user.target"),
	}))
	return b.Bytes(), err
}

// quoteForSystemd makes one word of arg in a command line of a unit (systemd.service(5), "Command lines").
func quoteForSystemd(arg string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(arg) + `"`
}

func (u systemdUnit) start(ctx context.Context, args []string) error {
	content, err := u.content(args)
	if err != nil {
		return fmt.Errorf("writing the unit %s: %w", u.name, err)
	}
	if err := writeFile(u.path(), content, 0o644, -1, -1); err != nil {
		return err
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--quiet", u.name}, {"reset-failed", u.name}, {"start", "--no-block", u.name}} {
		if err := systemctl(ctx, args...); err != nil && args[0] != "reset-failed" {
			return err
		}
	}
	return nil
}

// remove stops the service and takes it away. Idempotent.
func (u systemdUnit) remove(ctx context.Context) error {
	if _, err := os.Stat(u.path()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := systemctl(ctx, "disable", "--quiet", "--now", u.name); err != nil {
		return err
	}
	if err := os.Remove(u.path()); err != nil {
		return err
	}
	return systemctl(ctx, "daemon-reload")
}

func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

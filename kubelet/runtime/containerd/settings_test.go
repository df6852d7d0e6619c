package containerd

import (
	"context"
	"slices"
	"testing"

	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/sirupsen/logrus"

	srvconfig "github.com/containerd/containerd/v2/cmd/containerd/server/config"
	"github.com/containerd/log"
)

// warnings counts what containerd says about its configuration.
type warnings struct{ said []string }

func (w *warnings) Levels() []logrus.Level     { return logrus.AllLevels }
func (w *warnings) Fire(e *logrus.Entry) error { w.said = append(w.said, e.Message); return nil }

// Every key must be one that the plugin knows: containerd only warns of others.
func TestEverySettingIsKnown(t *testing.T) {
	c := Config{DataDir: "/data", PauseImage: "pause"}.withDefaults()
	config := settings(c, newLayout(c), host{snapshotter: "overlayfs", crun: "/usr/bin/crun"})
	w := &warnings{}
	logger := logrus.New()
	logger.AddHook(w)
	ctx := log.WithLogger(context.Background(), logrus.NewEntry(logger))
	for _, p := range registered() {
		if p.Config == nil {
			continue
		}
		if _, err := config.Decode(ctx, p.URI(), p.Config); err != nil {
			t.Errorf("%s: %v", p.URI(), err)
		}
	}
	if len(w.said) > 0 {
		t.Errorf("containerd says %q", w.said)
	}
}

// A plugin that is configured, required or disabled but not linked would be so in silence.
func TestEveryPluginNamedIsLinked(t *testing.T) {
	c := Config{DataDir: "/data"}.withDefaults()
	config := settings(c, newLayout(c), host{})
	var linked []string
	for _, p := range registered() {
		linked = append(linked, p.URI())
	}
	named := slices.Concat(config.RequiredPlugins, config.DisabledPlugins)
	for id := range config.Plugins {
		named = append(named, id)
	}
	for _, id := range named {
		if !slices.Contains(linked, id) {
			t.Errorf("%s is not linked", id)
		}
	}
	if filter := srvconfig.V2DisabledFilter(config.DisabledPlugins); len(registry.Graph(filter)) != len(linked)-len(config.DisabledPlugins) {
		t.Error("not all disabled plugins are disabled")
	}
}

func registered() []plugin.Registration {
	return registry.Graph(func(*plugin.Registration) bool { return false })
}

func TestHandlers(t *testing.T) {
	l := newLayout(Config{DataDir: "/data", StateDir: "/run/x"})
	if got := handlers(l, host{}); len(got) != 1 || got["runc"].(map[string]any)["options"].(map[string]any)["BinaryName"] != "/data/bin/current/runc" {
		t.Errorf("without crun: %v", got)
	}
	if got := handlers(l, host{crun: "/usr/bin/crun"}); len(got) != 2 {
		t.Errorf("with crun: %v", got)
	}
}

package containerd

import (
	"path/filepath"
	"strings"

	srvconfig "github.com/containerd/containerd/v2/cmd/containerd/server/config"
)

// settings is what containerd is told: every value that is not its default. It decides nothing by itself; what depends on
// this machine comes in as host.
func settings(c Config, l layout, h host) *srvconfig.Config {
	return &srvconfig.Config{
		Version:         4,
		Root:            l.root,
		State:           l.state,
		RequiredPlugins: []string{"io.containerd.grpc.v1.cri", "io.containerd.server.v1.grpc", "io.containerd.server.v1.ttrpc"},
		// They register metrics in the process's global registry, which a second server could not do again.
		DisabledPlugins: []string{"io.containerd.metrics.v1.grpc-prometheus", "io.containerd.metrics.v1.grpc-otel", "io.containerd.server.v1.grpc-tcp"},
		Plugins: map[string]any{
			"io.containerd.server.v1.grpc":  map[string]any{"address": l.socket},
			"io.containerd.server.v1.ttrpc": map[string]any{"address": l.socket + ".ttrpc"},
			"io.containerd.shim.v1.manager": map[string]any{"socket_dir": l.shimSockets},
			// Garbage is collected soon after something was deleted. By default it is looked for four times a second, which
			// follows from the share of time that it may take: five milliseconds in fifty seconds instead.
			"io.containerd.gc.v1.scheduler": map[string]any{"deletion_threshold": 1, "schedule_delay": "100ms", "pause_threshold": 0.0001},
			"io.containerd.cri.v1.images":   imageSettings(c, h),
			"io.containerd.cri.v1.runtime":  runtimeSettings(c, l, h),
		},
	}
}

func imageSettings(c Config, h host) map[string]any {
	return map[string]any{
		"snapshotter":   h.snapshotter,
		"pinned_images": map[string]any{"sandbox": c.PauseImage},
		"registry":      map[string]any{"config_path": strings.Join(c.RegistryDirs, ":")},
		// The transfer service takes all folders of registry configurations for the name of one, and so finds none.
		"use_local_image_pull": true,
		// How much each container wrote is looked up once in so many seconds: a walk over its files.
		"stats_collect_period": 600,
	}
}

func runtimeSettings(c Config, l layout, h host) map[string]any {
	return map[string]any{
		"max_container_log_line_size":  16 << 10,
		"enable_unprivileged_ports":    true,
		"enable_unprivileged_icmp":     true,
		"restrict_oom_score_adj":       h.restrictOOM,
		"disable_hugetlb_controller":   !h.hugePages,
		"enable_criu":                  false, // our runc takes no checkpoints
		"cdi_spec_dirs":                []string{"/etc/cdi", "/var/run/cdi"},
		"netns_mounts_under_state_dir": true,
		// The kubelet derives rates from two readings of its own; nothing here reads every container's usage every second.
		"stats_collect_period":        "8760h",
		"stats_retention_period":      "17520h",
		"ignore_deprecation_warnings": []string{"io.containerd.deprecation/cgroup-v1"},
		"cni": map[string]any{
			"bin_dirs":              append([]string{l.programs}, c.NetworkBinDirs...),
			"conf_dir":              c.NetworkConfDir,
			"use_internal_loopback": true,
		},
		"containerd": map[string]any{
			"default_runtime_name": "runc",
			"runtimes":             handlers(l, h),
		},
	}
}

// handlers are the ways to run a container that RuntimeClasses can name.
func handlers(l layout, h host) map[string]any {
	handlers := map[string]any{"runc": handler(l, filepath.Join(l.programs, "runc"))}
	if h.crun != "" {
		handlers["crun"] = handler(l, h.crun)
	}
	return handlers
}

func handler(l layout, binary string) map[string]any {
	return map[string]any{
		"runtime_type": "io.containerd.runc.v2",
		"runtime_path": filepath.Join(l.programs, "containerd-shim-runc-v2"),
		"options":      map[string]any{"BinaryName": binary, "Root": l.runtimeState, "SystemdCgroup": false},
	}
}

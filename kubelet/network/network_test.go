package network

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestRender(t *testing.T) {
	content, err := render(configuration{
		DataDir: "/data/network", MTU: 1400, RouteMTU: 1350,
		Subnets: masked([]netip.Prefix{netip.MustParsePrefix("10.244.3.0/24"), netip.MustParsePrefix("fd00:3::1/64")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		CNIVersion, Name string
		Plugins          []struct {
			Type, Bridge, DataDir string
			MTU, RouteMTU         int
			Subnets               []string
		}
	}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	p := got.Plugins[0]
	if got.CNIVersion != "1.0.0" || got.Name == "" || p.Type != "coracle-net" || p.Bridge != Bridge || p.MTU != 1400 || p.RouteMTU != 1350 || p.DataDir != "/data/network" {
		t.Errorf("got %s", content)
	}
	if len(p.Subnets) != 2 || p.Subnets[0] != "10.244.3.0/24" || p.Subnets[1] != "fd00:3::/64" {
		t.Errorf("subnets %v", p.Subnets)
	}
}

func TestAnothersConfigurationIsNoticed(t *testing.T) {
	dir := t.TempDir()
	n := New(Config{ConfDir: dir})
	for _, step := range []struct {
		file string
		want bool
	}{
		{file, false}, {"10-notes.txt", false}, {"." + file + ".new", false}, {"zz-later.conflist", true},
	} {
		if err := os.WriteFile(filepath.Join(dir, step.file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := n.Foreign(); err != nil || got != step.want {
			t.Errorf("with %s: %v, %v, want %v", step.file, got, err, step.want)
		}
	}
	if got, err := New(Config{ConfDir: filepath.Join(dir, "none")}).Foreign(); err != nil || got {
		t.Errorf("without a folder: %v, %v", got, err)
	}
}

func TestWriteReplacesWhatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.d", file)
	var before os.FileInfo
	for i, step := range []struct {
		content string
		same    bool
	}{{"a", false}, {"a", true}, {"b", false}} {
		if err := write(path, []byte(step.content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != step.content {
			t.Errorf("step %d: %q, %v", i, got, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && os.SameFile(before, info) != step.same {
			t.Errorf("step %d: the same file: %v, want %v", i, !step.same, step.same)
		}
		before = info
	}
}

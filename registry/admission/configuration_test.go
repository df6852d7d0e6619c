package admission

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigurationTellsPlugins(t *testing.T) {
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n"
	for name, test := range map[string]struct{ file, told, err string }{
		"inside":              {head + "plugins: [{name: A, configuration: {kind: K}}]", `{"kind":"K"}`, ""},
		"in a file beside it": {head + "plugins: [{name: A, path: a.yaml}]", "kind: K", ""},
		"nothing":             {head, "", ""},
		"of another plugin":   {head + "plugins: [{name: B, configuration: {}}]", "", ""},
		"in no file":          {head + "plugins: [{name: A, path: none.yaml}]", "", "plugins[0].path: open "},
		"twice":               {head + "plugins: [{name: A, path: a.yaml}, {name: A, path: a.yaml}]", "", "plugins[1].name: A is there twice"},
		"of none that is on":  {head + "plugins: [{name: C, path: a.yaml}]", "", `plugins[0].name: no plugin "C" is on; those are A, B`},
		"an unknown field":    {head + "plugin: []", "", `unknown field "plugin"`},
		"another kind":        {"apiVersion: apiserver.config.k8s.io/v1\nkind: TracingConfiguration\n", "", "no AdmissionConfiguration"},
		"no YAML":             {"]", "", "yaml"},
		"empty":               {"", "", "Kind"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{"c.yaml": test.file, "a.yaml": "kind: K"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := readConfiguration(filepath.Join(dir, "c.yaml"), []string{"A", "B"})
			if test.err != "" || err != nil {
				if err == nil || test.err == "" || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			told, err := p.ConfigFor("A")
			if err != nil {
				t.Fatal(err)
			}
			var text []byte
			if told != nil {
				text, _ = io.ReadAll(told)
			}
			if string(text) != test.told {
				t.Errorf("A is told %q, want %q", text, test.told)
			}
		})
	}
	if _, err := readConfiguration("", nil); err != nil {
		t.Error("without a file:", err)
	}
	if _, err := readConfiguration(filepath.Join(t.TempDir(), "x"), nil); err == nil || strings.Count(err.Error(), "/x") != 1 {
		t.Error("a file that is not there:", err)
	}
}

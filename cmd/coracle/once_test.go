package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestFlagsAreGivenOnce(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string // in the error; "" for none
	}{
		"each once":         {[]string{"--text=a", "--switch", "--count", "2"}, ""},
		"a list twice":      {[]string{"--list=a", "--list=b"}, ""},
		"a text twice":      {[]string{"--text=a", "--text=b"}, "--text"},
		"a switch twice":    {[]string{"--switch", "--switch=false"}, "--switch"},
		"the same for sure": {[]string{"--count=1", "--count=1"}, "--count"},
	} {
		t.Run(name, func(t *testing.T) {
			f := pflag.NewFlagSet("", pflag.ContinueOnError)
			f.String("text", "", "")
			f.Bool("switch", false, "")
			f.Int("count", 0, "")
			list := f.StringSlice("list", nil, "")
			once(f)
			err := f.Parse(test.args)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
			if name == "a list twice" && len(*list) != 2 {
				t.Errorf("list %v", *list)
			}
		})
	}
}

func TestDataDirectoryIsNamed(t *testing.T) {
	for arg, want := range map[string]string{"": "/preset", "--data-dir=/a": "/a", "--data-dir=": ""} {
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		var dir string
		dataDirFlag(f, &dir, "/preset", "")
		var args []string
		if arg != "" {
			args = []string{arg}
		}
		err := f.Parse(args)
		if (err != nil) != (want == "") || err == nil && dir != want {
			t.Errorf("%q: directory %q, error %v", arg, dir, err)
		}
	}
}

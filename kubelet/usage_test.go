package kubelet

import "testing"

func TestUpperDir(t *testing.T) {
	for options, want := range map[string]string{
		"rw,lowerdir=/a:/b,upperdir=/c/fs,workdir=/c/work,userxattr": "/c/fs",
		"rw,lowerdir=/a:/b":    "", // read only
		"rw,upperdir=relative": "",
		"":                     "",
	} {
		if got := upperDir(options); got != want {
			t.Errorf("%q: %q, want %q", options, got, want)
		}
	}
}

func TestLayersThatCannotBeTold(t *testing.T) {
	for _, info := range []string{"", "{}", `{"pid":"1"}`, `{"pid":-7}`} {
		if got := layer(info); got != "" {
			t.Errorf("%s: %q", info, got)
		}
	}
}

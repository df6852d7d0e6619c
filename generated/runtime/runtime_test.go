package runtime

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse("runc " + strings.Repeat("a", 64) + " 42\npause b 7\n")
	if err != nil || len(got) != 2 || got[0].Name != "runc" || got[0].Size != 42 || got[1].SHA256 != "b" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, index := range []string{"runc\n", "runc a b\n", "\n"} {
		if got, err := parse(index); err == nil {
			t.Errorf("%q is read as %v", index, got)
		}
	}
}

func TestEveryProgramIsCarried(t *testing.T) {
	programs, err := Programs()
	if err != nil {
		t.Skip(err)
	}
	for _, p := range programs {
		if content, err := Packed(p); err != nil || len(content) == 0 {
			t.Errorf("%s: %d bytes, %v", p.Name, len(content), err)
		}
	}
}

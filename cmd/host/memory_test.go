package host

import (
	"os"
	"testing"
)

func TestOnlyTheProgramsOwnUnchangeablePagesAreGivenBack(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-0458d000 r-xp 00000000 fe:00 247026                     /usr/bin/coracle": true,
		"0458d000-09a1e000 r--p 0418d000 fe:00 247026                     /usr/bin/coracle": true,
		"09a1e000-09c00000 rw-p 0961e000 fe:00 247026                     /usr/bin/coracle": false,
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 1                  /usr/lib/libc.so": false,
		"7f0000000000-7f0000001000 r--s 00000000 fe:00 1                  /usr/bin/coracle": false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":                                       false,
		"7ffd0000-7ffe0000 r-xp 00000000 00:00 0                          [vdso]":           false,
		"z-y r-xp 00000000 fe:00 247026 /usr/bin/coracle":                                   false,
		"00400000 r-xp 00000000 fe:00 247026 /usr/bin/coracle":                              false,
	} {
		from, to, ok := unchangeable(line, "/usr/bin/coracle")
		if ok != want || ok && (to <= from || from < 0x400000) {
			t.Errorf("%s: %x-%x, %v", line, from, to, ok)
		}
	}
}

func TestAProcessGoesOnWithoutItsPages(t *testing.T) {
	before, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		giveMemoryBack()
		if after, err := os.ReadFile("/proc/self/cmdline"); err != nil || string(after) != string(before) {
			t.Fatalf("%q, %v", after, err)
		}
	}
}

package host

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOnlyPagesThatAreAsInTheProgramsFileAreGivenBack(t *testing.T) {
	var smaps strings.Builder
	for _, m := range []struct{ line, anonymous string }{
		{"00400000-0458d000 r-xp 00000000 fe:00 247026                     /usr/bin/coracle", "0"},
		{"0458d000-09a1e000 r--p 0418d000 fe:00 247026                     /usr/bin/coracle", "0"},
		{"09a1e000-09a20000 r--p 0961e000 fe:00 247026                     /usr/bin/coracle", "8"},
		{"09a20000-09c00000 rw-p 09620000 fe:00 247026                     /usr/bin/coracle", "0"},
		{"7f0000000000-7f0000001000 r--p 00000000 fe:00 1                  /usr/lib/libc.so", "0"},
		{"7f0000000000-7f0000001000 r--s 00000000 fe:00 1                  /usr/bin/coracle", "0"},
		{"c000000000-c000400000 rw-p 00000000 00:00 0 ", "0"},
		{"7ffd0000-7ffe0000 r-xp 00000000 00:00 0                          [vdso]", "0"},
		{"z-y r-xp 00000000 fe:00 247026 /usr/bin/coracle", "0"},
		{"00400000 r-xp 00000000 fe:00 247026 /usr/bin/coracle", "0"},
		{"00500000-00400000 r-xp 00000000 fe:00 247026 /usr/bin/coracle", "0"},
	} {
		fmt.Fprintf(&smaps, "%s\nSize: 4 kB\nPrivate_Clean: 4 kB\nAnonymous: %8s kB\nVmFlags: rd mr mw me\n", m.line, m.anonymous)
	}
	want := []mapping{{0x400000, 0x458d000}, {0x458d000, 0x9a1e000}}
	if got := asInFile(strings.NewReader(smaps.String()), "/usr/bin/coracle"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
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

package resources

import "testing"

func TestShares(t *testing.T) {
	for milli, want := range map[int64]uint64{0: 2, 1: 2, 2: 2, 100: 102, 500: 512, 1000: 1024, 1500: 1536, 256_000: 262_144, 1 << 40: 262_144} {
		if got := Shares(milli); got != want {
			t.Errorf("%d thousandths of a CPU are %d shares, want %d", milli, got, want)
		}
	}
}

func TestQuota(t *testing.T) {
	for milli, want := range map[int64]int64{0: 0, 1: 1000, 9: 1000, 10: 1000, 15: 1500, 1000: 100_000, 2500: 250_000} {
		if got := Quota(milli); got != want {
			t.Errorf("a limit of %d thousandths of a CPU is %d, want %d", milli, got, want)
		}
	}
}

func TestPageName(t *testing.T) {
	for bytes, want := range map[uint64]string{64 << 10: "64KB", 2 << 20: "2MB", 1 << 30: "1GB", 16 << 30: "16GB"} {
		if got := pageName(bytes); got != want {
			t.Errorf("pages of %d bytes are called %s, want %s", bytes, got, want)
		}
	}
}

func TestParseSet(t *testing.T) {
	for set, want := range map[string]int64{"0": 1, "0-1": 2, "0-3,5,7-8": 7} {
		if got, err := parseSet(set); err != nil || got != want {
			t.Errorf("%s has %d, %v, want %d", set, got, err, want)
		}
	}
	for _, set := range []string{"", "a", "0-", "1,"} {
		if _, err := parseSet(set); err == nil {
			t.Errorf("%q is taken for a set", set)
		}
	}
}

func TestParseMemory(t *testing.T) {
	got, err := parseMemory("MemFree:  1 kB\nMemTotal:       24692824 kB\n")
	if err != nil || got != 24692824<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := parseMemory("MemFree: 1 kB\n"); err == nil {
		t.Error("no total is no error")
	}
}

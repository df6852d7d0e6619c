package containerd

import (
	"strings"
	"testing"
)

func TestSocketsHaveShortPathsOfTheirOwn(t *testing.T) {
	long := newLayout(Config{DataDir: "/" + strings.Repeat("deep/", 40)}.withDefaults())
	other := newLayout(Config{DataDir: "/" + strings.Repeat("deep/", 40) + "er"}.withDefaults())
	// A shim's socket is named by a SHA-256 digest.
	if n := len(long.shimSockets) + 1 + 64; n > 107 {
		t.Errorf("%s is too long by %d bytes", long.shimSockets, n-107)
	}
	if long.state == other.state {
		t.Errorf("two data directories share %s", long.state)
	}
	if Endpoint(Config{DataDir: "/var/lib/coracle/"}) != Endpoint(Config{DataDir: "/var/lib/coracle"}) {
		t.Error("one data directory has two sockets")
	}
	if err := prepare(layout{shimSockets: "/run/" + strings.Repeat("x", 50)}); err == nil {
		t.Error("a long state directory is accepted")
	}
}

func TestHasCapability(t *testing.T) {
	const status = "Name:\tx\nCapPrm:\t000001fffeffffff\nCapEff:\t000001fffeffffff\n"
	for capability, want := range map[int]bool{24: false, 21: true, 40: true} {
		if got, err := hasCapability([]byte(status), capability); err != nil || got != want {
			t.Errorf("capability %d: %v, %v, want %v", capability, got, err, want)
		}
	}
	if _, err := hasCapability([]byte("Name:\tx\n"), 1); err == nil {
		t.Error("no line is no error")
	}
}

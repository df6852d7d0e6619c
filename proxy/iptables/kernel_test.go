package iptables

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/coracle-k8s/coracle/proxy/internal/packets"
)

// variants are the two programs that iptables may be.
var variants = []string{"nft", "legacy"}

// enter makes the test's thread the only one of a new network namespace, where iptables is a variant.
func enter(t *testing.T, variant string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	dir := t.TempDir()
	for _, program := range []string{"iptables", "iptables-save", "iptables-restore"} {
		path, err := exec.LookPath("xtables-" + variant + "-multi")
		if err != nil {
			t.Skip("needs both programs that iptables may be (Debian: apt-get install iptables)")
		}
		if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
}

func run(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

func TestTheKernelPrintsWhatWasRendered(t *testing.T) {
	for _, variant := range variants {
		t.Run(variant, func(t *testing.T) {
			enter(t, variant)
			b, snapshot := New(testNode()), packets.World().Snapshot()
			if _, err := b.Apply(t.Context(), snapshot); err != nil {
				t.Fatal(err)
			}
			found, err := read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range b.known {
				if got := found.chains[key]; got != want {
					t.Errorf("%s:\n%s\nrendered:\n%s", key.name, got, want)
				}
			}
			b.Check()
			if stats, err := b.Apply(t.Context(), snapshot); err != nil || stats.Written+stats.Deleted+stats.Restored > 0 {
				t.Errorf("nothing has changed: %+v, %v", stats, err)
			}
		})
	}
}

func TestWhatOthersChangeIsPutBack(t *testing.T) {
	for _, variant := range variants {
		t.Run(variant, func(t *testing.T) {
			enter(t, variant)
			b, snapshot := New(testNode()), packets.World().Snapshot()
			apply := func() Stats {
				b.Check()
				stats, err := b.Apply(t.Context(), snapshot)
				if err != nil {
					t.Fatal(err)
				}
				return stats
			}
			apply()
			want := withoutCounters(run(t, "iptables-save"))
			for _, damage := range []string{
				"iptables -t nat -F", "iptables -F", "iptables -t nat -D PREROUTING 1", "iptables -t nat -F " + chainServices,
				"iptables -I " + chainInput + " -j DROP", "iptables -D FORWARD 3",
			} {
				run(t, damage)
				if stats := apply(); stats.Restored == 0 {
					t.Errorf("%s: nothing was put back", damage)
				}
				if got := withoutCounters(run(t, "iptables-save")); got != want {
					t.Errorf("%s:\n%s\nwant\n%s", damage, got, want)
				}
			}
			run(t, "iptables -A FORWARD -d 198.51.100.0/24 -j DROP")
			run(t, "iptables -I INPUT -s 198.51.100.0/24 -j DROP")
			if stats := apply(); stats.Restored != 0 {
				t.Errorf("rules of others count as damage: %+v", stats)
			}
			found, err := read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			forward := found.lines[chainKey{tableFilter, "FORWARD"}]
			if last := forward[len(forward)-1]; !strings.HasSuffix(last, chainPods) {
				t.Errorf("the administrator's rule is overtaken: %s", strings.Join(forward, "\n"))
			}
			if input := found.lines[chainKey{tableFilter, "INPUT"}]; !strings.HasSuffix(input[0], "-j DROP") {
				t.Errorf("the administrator's rule is no longer the first: %s", strings.Join(input, "\n"))
			}
			if err := Cleanup(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := run(t, "iptables-save"); strings.Contains(left, Prefix) || strings.Count(left, "-j DROP") != 2 {
				t.Errorf("after Cleanup:\n%s", left)
			}
		})
	}
}

func withoutCounters(saved string) string {
	var kept []string
	for line := range strings.Lines(saved) {
		if line, _, _ = strings.Cut(line, " ["); strings.HasPrefix(line, ":") || strings.HasPrefix(line, "-") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	// Which table comes first is nobody's business, nor which of our chains.
	var chains []string
	for i, line := range kept {
		if strings.HasPrefix(line, ":") {
			chains, kept[i] = append(chains, line), ""
		}
	}
	slices.Sort(chains)
	return strings.Join(append(chains, kept...), "\n")
}

func TestTheKernelTellsOfOthersChangesOnly(t *testing.T) {
	enter(t, "nft")
	b, snapshot := New(testNode()), packets.World().Snapshot()
	w := b.Watch(t.Context())
	defer w.Stop()
	if w.socket == nil {
		t.Fatal("the kernel is not asked to tell")
	}
	if _, err := b.Apply(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	other := packets.Many(300, 10)
	if _, err := b.Apply(t.Context(), other.Snapshot()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Changes():
		t.Error("told of our own changes")
	case <-time.After(200 * time.Millisecond):
	}
	run(t, "iptables -t nat -F")
	select {
	case <-w.Changes():
	case <-time.After(10 * time.Second):
		t.Error("waited 10 s to be told of a flush")
	}
}

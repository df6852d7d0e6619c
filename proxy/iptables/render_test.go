package iptables

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/coracle-k8s/coracle/proxy/internal/packets"
	"github.com/coracle-k8s/coracle/proxy/service"
)

var update = flag.Bool("update", false, "write golden files anew")

// alone is for transactions of our chains only.
func alone(string, *bytes.Buffer) {}

func TestRenderedRules(t *testing.T) {
	snapshot := packets.World().Snapshot()
	input, stats := transaction(nil, renderAnew(snapshot), alone)
	const golden = "testdata/world.rules"
	if *update {
		if err := os.WriteFile(golden, input, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(input) != string(want) {
		t.Errorf("rules differ from %s: run with -update and look at the difference", golden)
	}
	if stats.Written != stats.Chains || stats.Deleted != 0 {
		t.Errorf("stats %+v: nothing was there before", stats)
	}
}

func TestOnlyChangedChainsAreWritten(t *testing.T) {
	tracker := packets.Many(50, 3)
	before := renderAnew(tracker.Snapshot())
	if input, stats := transaction(texts(before), before, alone); len(input) > 0 || stats.Written+stats.Deleted > 0 {
		t.Errorf("no change: %+v\n%s", stats, input)
	}
	tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "service-27"})
	input, stats := transaction(texts(before), renderAnew(tracker.Snapshot()), alone)
	if stats.Written != 1 || stats.Deleted != 1 {
		t.Errorf("a service less: %+v\n%s", stats, input)
	}
	if strings.Count(string(input), "-X ") != 1 || strings.Contains(string(input), "service-27") {
		t.Errorf("transaction:\n%s", input)
	}
}

func TestChainsOfOthersAreNotRead(t *testing.T) {
	known := kernel{chains: map[chainKey]string{}, lines: map[chainKey][]string{}}
	known.parse("*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n:CORACLE-MARK - [0:0]\n-A PREROUTING -j CORACLE-SERVICES\n-A DOCKER -j RETURN\n-A CORACLE-MARK -j X\n-A CORACLE-MARK -j Y\nCOMMIT\n", "nat")
	if len(known.chains) != 1 || known.chains[chainKey{"nat", "CORACLE-MARK"}] != "-j X\n-j Y" {
		t.Errorf("known: %v", known.chains)
	}
}

func TestOursComeFirstAndTheLastLast(t *testing.T) {
	var all []string
	for _, j := range jumps {
		if j.table == tableFilter && j.from == "FORWARD" {
			all = append(all, j.rule)
		}
	}
	first, last := slices.Clip(all[:2]), all[2]
	for _, test := range []struct {
		name    string
		there   []string
		missing int
		want    []string
	}{
		{"nothing", nil, 3, []string{"-A FORWARD " + last, "-I FORWARD 1 " + first[1], "-I FORWARD 1 " + first[0]}},
		{"all", append(first, "-j DOCKER", last), 0, nil},
		{"others before ours", append([]string{"-j DOCKER"}, all...), 0, nil},
		{"others behind the last", append(first, last, "-j DROP"), 0, []string{"-D FORWARD " + last, "-A FORWARD " + last}},
		{"the second missing", []string{first[0], "-j DROP", last}, 1, []string{"-I FORWARD 1 " + first[1]}},
		{"the last missing", append(first, "-j DROP"), 1, []string{"-A FORWARD " + last}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := kernel{lines: map[chainKey][]string{{tableFilter, "FORWARD"}: test.there}}
			for _, chain := range []string{"INPUT", "OUTPUT"} {
				for _, j := range jumps {
					if j.table == tableFilter && j.from == chain {
						k.lines[chainKey{tableFilter, chain}] = append(k.lines[chainKey{tableFilter, chain}], j.rule)
					}
				}
			}
			var out bytes.Buffer
			if missing := k.lead(tableFilter, &out); missing != test.missing {
				t.Errorf("%d missing, want %d", missing, test.missing)
			}
			if got := strings.TrimSpace(out.String()); got != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestTunnelTreeKnowsAllNodes holds every address against the rules, and some of nobody.
func TestTunnelTreeKnowsAllNodes(t *testing.T) {
	for _, n := range []int{0, 1, 8, 9, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var nodes []netip.Addr
			for i := range n {
				nodes = append(nodes, netip.AddrFrom4([4]byte{10, byte(i % 3), byte(i / 200), byte(i*7 + 1)}))
			}
			slices.SortFunc(nodes, netip.Addr.Compare)
			nodes = slices.Compact(nodes)
			w := &walk{t: t, chains: map[string][]string{"filter INPUT": {"-j " + chainTunnel}}}
			longest := 0
			for _, chain := range (PodNetwork{InUse: true, TunnelPort: 8472}).tunnel(nodes) {
				rules := strings.Split(chain.Rules, "\n")
				w.chains[chain.Table+" "+chain.Name] = rules
				longest = max(longest, len(rules))
			}
			if longest > fanout+2 {
				t.Errorf("a chain has %d rules", longest)
			}
			arrive := func(from netip.Addr, port uint16) string {
				p := packet{from: netip.AddrPortFrom(from, 1), to: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), protocol: "udp"}
				return w.pass("filter", "INPUT", p)[0].verdict
			}
			for _, node := range nodes {
				if verdict := arrive(node, 8472); verdict != "" {
					t.Errorf("%s: %s", node, verdict)
				}
				if next := node.Next(); !slices.Contains(nodes, next) {
					if verdict := arrive(next, 8472); verdict != "DROP" {
						t.Errorf("%s, which is no node: %q", next, verdict)
					}
				}
			}
			if verdict := arrive(netip.MustParseAddr("198.51.100.1"), 8473); verdict != "" {
				t.Errorf("another port: %s", verdict)
			}
		})
	}
}

func TestNamesFitTheKernelsLimit(t *testing.T) {
	for _, chain := range renderAnew(packets.World().Snapshot()) {
		if len(chain.Name) > 28 {
			t.Errorf("%s has %d characters", chain.Name, len(chain.Name))
		}
	}
}

func TestChanceIsWhatTheKernelPrints(t *testing.T) {
	for of, want := range map[int]string{2: "0.50000000000", 3: "0.33333333349", 7: "0.14285714272"} {
		if got := chance(of); got != want {
			t.Errorf("1 of %d: %s, want %s", of, got, want)
		}
	}
}

func TestServicesOfOthersLeaveNoRules(t *testing.T) {
	tracker, memo := service.NewTracker("here"), map[types.NamespacedName]*part{}
	set := func(address string, labels map[string]string) {
		s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: address, ClusterIPs: []string{address},
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80}}}}
		s.Namespace, s.Name, s.Labels = "ns", "name", labels
		tracker.SetService(s)
	}
	empty := render(tracker.Snapshot(), testNode(), memo)
	set("fd00::1", nil)
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, empty) {
		t.Errorf("the other family: %v, want %v", got, empty)
	}
	set("10.96.0.1", nil)
	ours := render(tracker.Snapshot(), testNode(), memo)
	if slices.Equal(ours, empty) {
		t.Error("no rules for a service of ours")
	}
	set("10.96.0.1", map[string]string{"service.kubernetes.io/service-proxy-name": "theirs"})
	want := slices.Clone(empty)
	for i := range want {
		if want[i].Name == chainNew { // its packets are let through to the other proxy
			first, rest, _ := strings.Cut(want[i].Rules, "\n-d 10.96.0.0/16")
			want[i].Rules = first + "\n-d 10.96.0.1/32 " + comment("served by another proxy") + " -j RETURN\n-d 10.96.0.0/16" + rest
		}
	}
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, want) {
		t.Errorf("another proxy's: %v, want %v", got, want)
	}
	set("10.96.0.1", nil)
	if got := render(tracker.Snapshot(), testNode(), memo); !slices.Equal(got, ours) {
		t.Errorf("ours again: %v, want %v", got, ours)
	}
}

// BenchmarkFullRender folds and renders 1,000 Services with 10 endpoints each.
func BenchmarkFullRender(b *testing.B) {
	for b.Loop() {
		transaction(nil, renderAnew(packets.Many(1000, 10).Snapshot()), alone)
	}
}

// BenchmarkOneChange renders what follows from the change of one Service among 1,000.
func BenchmarkOneChange(b *testing.B) {
	tracker := packets.Many(1000, 10)
	memo := map[types.NamespacedName]*part{}
	known := texts(render(tracker.Snapshot(), testNode(), memo))
	for b.Loop() {
		tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "service-27"})
		wanted := render(tracker.Snapshot(), testNode(), memo)
		transaction(known, wanted, alone)
		texts(wanted)
	}
}

func TestMemoChangesNothing(t *testing.T) {
	tracker, memo := packets.World(), map[types.NamespacedName]*part{}
	render(tracker.Snapshot(), testNode(), memo)
	tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: "web"})
	snapshot := tracker.Snapshot()
	if got, want := render(snapshot, testNode(), memo), renderAnew(snapshot); !slices.Equal(got, want) {
		t.Errorf("with memo %v, without %v", got, want)
	}
	if len(memo) != len(snapshot.Services)-1 { // one is another proxy's
		t.Errorf("%d of %d remembered", len(memo), len(snapshot.Services))
	}
}

// BenchmarkKernel applies 1,000 Services with 10 endpoints each to the kernel,
// all at once and then one change at a time.
func BenchmarkKernel(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		b.Fatal(err)
	}
	defer ns.Close()
	tracker, backend := packets.Many(1000, 10), New(testNode())
	start := time.Now()
	if _, err := backend.Apply(b.Context(), tracker.Snapshot()); err != nil {
		b.Fatal(err)
	}
	first := time.Since(start)
	removed := 0
	for b.Loop() {
		tracker.RemoveService(types.NamespacedName{Namespace: "ns", Name: fmt.Sprintf("service-%d", 27+removed)})
		removed++
		if _, err := backend.Apply(b.Context(), tracker.Snapshot()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
}

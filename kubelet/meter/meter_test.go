package meter

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/opencontainers/cgroups"
)

// tree makes files below a directory of the test's, and a meter that reads there.
func tree(t *testing.T, unified bool, files map[string]string) *Meter {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Meter{mount: root, unified: unified, device: func(number string) string { return "/dev/" + number }}
}

func known(r *Reading) map[Figure]float64 {
	out := map[Figure]float64{}
	for f := range count {
		if n, ok := r.Get(f); ok {
			out[f] = n
		}
	}
	return out
}

var v1Files = map[string]string{
	"cpuacct/g/cpuacct.usage": "1500000000\n", "cpuacct/g/cpuacct.stat": "user 100\nsystem 50\n",
	"cpu/g/cpu.shares": "512\n", "cpu/g/cpu.cfs_period_us": "100000\n", "cpu/g/cpu.cfs_quota_us": "50000\n",
	"cpu/g/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n", "cpu/g/cgroup.clone_children": "0\n",
	"memory/g/memory.usage_in_bytes": "1000\n", "memory/g/memory.max_usage_in_bytes": "2000\n", "memory/g/memory.failcnt": "3\n",
	"memory/g/memory.limit_in_bytes": "4000\n", "memory/g/memory.soft_limit_in_bytes": "9223372036854771712\n",
	"memory/g/memory.stat":        "cache 1\nrss 2\ntotal_cache 600\ntotal_rss 400\ntotal_mapped_file 7\ntotal_swap 8\ntotal_pgfault 9\ntotal_pgmajfault 10\ntotal_inactive_file 300\ntotal_active_file 200\n",
	"memory/g/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
	"pids/g/pids.current":         "5\n", "pids/g/pids.max": "max\n", "pids/g/cgroup.procs": "17\n18\n",
	"blkio/g/blkio.throttle.io_service_bytes_recursive": "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 12288\n254:0 Total 12288\nTotal 12288\n",
	"blkio/g/blkio.throttle.io_serviced_recursive":      "254:0 Read 1\n254:0 Write 2\n254:0 Total 3\nTotal 3\n",
}

var v2Files = map[string]string{
	"g/cpu.stat": "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 2500000\n",
	"g/cpu.max":  "50000 100000\n", "g/cpu.weight": "59\n", "g/cgroup.events": "populated 1\n",
	"g/memory.current": "1000\n", "g/memory.peak": "2000\n", "g/memory.swap.current": "8\n", "g/memory.max": "4000\n", "g/memory.swap.max": "max\n", "g/memory.min": "100\n",
	"g/memory.stat":   "anon 400\nfile 600\nkernel 11\nfile_mapped 7\ninactive_anon 1\ninactive_file 300\nactive_file 200\npgfault 9\npgmajfault 10\n",
	"g/memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n",
	"g/pids.current":  "5\n", "g/pids.max": "100\n", "g/cgroup.procs": "17\n18\n",
	"g/io.stat":      "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n",
	"g/cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
}

func without(files map[string]string, names ...string) map[string]string {
	files = maps.Clone(files)
	for _, n := range names {
		delete(files, n)
	}
	return files
}

func TestRead(t *testing.T) {
	common := map[Figure]float64{
		CPU: 1.5, CPUUser: 1, CPUSystem: .5, CPUPeriods: 10, CPUThrottledPeriods: 4, CPUThrottled: 2.5, CPUShares: 512, CPUQuota: 50000, CPUPeriod: 100000,
		MemoryUsage: 1000, MemoryMaxUsage: 2000, MemoryWorkingSet: 700, MemoryRSS: 400, MemoryCache: 600, MemoryMapped: 7, MemorySwap: 8, MemoryActiveFile: 200,
		MemoryInactiveFile: 300, MemoryFailures: 3, MemoryFaults: 9, MemoryMajorFaults: 10, OOMKills: 2, MemoryLimit: 4000, Processes: 2, Threads: 5,
	}
	with := func(more map[Figure]float64, without ...Figure) map[Figure]float64 {
		out := maps.Clone(common)
		maps.Copy(out, more)
		for _, f := range without {
			delete(out, f)
		}
		return out
	}
	v1 := map[Figure]float64{ThreadsMax: 0, MemoryReservation: 0}
	disks := []Disk{{Device: "/dev/254:0", ReadBytes: 4096, WrittenBytes: 8192, Reads: 1, Writes: 2}}
	for name, c := range map[string]struct {
		unified bool
		files   map[string]string
		want    map[Figure]float64
		disks   []Disk
	}{
		"version 1":              {files: v1Files, want: with(v1), disks: disks},
		"version 1, gone":        {want: map[Figure]float64{}},
		"version 1, no blkio":    {files: without(v1Files, "blkio/g/blkio.throttle.io_serviced_recursive", "blkio/g/blkio.throttle.io_service_bytes_recursive"), want: with(v1)},
		"version 1, no pids":     {files: without(v1Files, "pids/g/pids.current", "pids/g/pids.max", "pids/g/cgroup.procs"), want: with(v1, Threads, ThreadsMax, Processes), disks: disks},
		"version 2":              {unified: true, files: v2Files, disks: disks, want: with(map[Figure]float64{CPUShares: 521, MemoryKernel: 11, ThreadsMax: 100, MemorySwapLimit: 0, MemoryReservation: 100, CPUWaiting: 1, CPUStalled: .5})},
		"version 2, gone":        {unified: true, want: map[Figure]float64{}},
		"version 2, root's only": {unified: true, files: map[string]string{"g/cpu.stat": v2Files["g/cpu.stat"]}, want: map[Figure]float64{CPU: 1.5, CPUUser: 1, CPUSystem: .5}},
	} {
		r := tree(t, c.unified, c.files).Read("/g")
		if got := known(r); !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if !reflect.DeepEqual(r.Disks, c.disks) {
			t.Errorf("%s: disks %v, want %v", name, r.Disks, c.disks)
		}
		if (len(c.want) > 3) == r.Created.IsZero() {
			t.Errorf("%s: made at %v", name, r.Created)
		}
	}
}

func TestWhatIsNotLimitedIsNotThrottled(t *testing.T) {
	files := maps.Clone(v1Files)
	files["cpu/g/cpu.cfs_quota_us"] = "-1\n"
	if r := tree(t, false, files).Read("g"); knows(r, CPUQuota, CPUPeriods, CPUThrottled) {
		t.Errorf("version 1: got %v", known(r))
	}
	files = maps.Clone(v2Files)
	files["g/cpu.max"] = "max 100000\n"
	if r := tree(t, true, files).Read("g"); knows(r, CPUQuota, CPUPeriods, CPUThrottled) {
		t.Errorf("version 2: got %v", known(r))
	}
}

func knows(r *Reading, figures ...Figure) bool {
	for _, f := range figures {
		if _, ok := r.Get(f); ok {
			return true
		}
	}
	return false
}

func TestProcess(t *testing.T) {
	if got := tree(t, false, v1Files).PID("g"); got != 17 {
		t.Errorf("version 1: %d", got)
	}
	if got := tree(t, true, v2Files).PID("g"); got != 17 {
		t.Errorf("version 2: %d", got)
	}
	if got := tree(t, true, nil).PID("g"); got != 0 {
		t.Errorf("of none: %d", got)
	}
}

func TestSharesAreThoseOfTheirWeight(t *testing.T) {
	for _, s := range []uint64{2, 10, 100, 102, 512, 1024, 2048, 10000, 262144} {
		weight := cgroups.ConvertCPUSharesToCgroupV2Value(s)
		if back := cgroups.ConvertCPUSharesToCgroupV2Value(uint64(shares(float64(weight)))); back != weight {
			t.Errorf("%d shares weigh %d, which are %v shares of weight %d", s, weight, shares(float64(weight)), back)
		}
	}
}

func TestNetwork(t *testing.T) {
	got := parseNetwork([]byte(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    1011      12    3    4    0     0          0         0     2011      22   33   44    0     0       0          0
`))
	want := []Interface{{Name: "eth0", Received: Traffic{1011, 12, 3, 4}, Sent: Traffic{2011, 22, 33, 44}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if got := Network(0); got != nil {
		t.Errorf("of no process: %v", got)
	}
}

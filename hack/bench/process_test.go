package main

import (
	"os"
	"testing"
	"time"
)

func TestUsageIsReadAsTheKernelWritesIt(t *testing.T) {
	rss, anonymous, err := memoryIn("Name:\tcoracle\nVmRSS:\t  181248 kB\nRssAnon:\t   73728 kB\nRssFile:\t  107520 kB\n")
	if err != nil || rss != 181248<<10 || anonymous != 73728<<10 {
		t.Errorf("memory: %d, %d, %v", rss, anonymous, err)
	}
	cpu, err := cpuIn("4711 (a name) (1)) S 1 4711 4711 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 12 0 100 0 0\n")
	if err != nil || cpu != 2*time.Second {
		t.Errorf("CPU: %s, %v", cpu, err)
	}
}

func TestUsageOfWhatHasEndedIsAnError(t *testing.T) {
	if _, _, err := memoryIn("Name:\tcoracle\nState:\tZ (zombie)\n"); err == nil {
		t.Error("a process without memory has usage")
	}
	if _, err := cpuIn("4711 (name) S 1"); err == nil {
		t.Error("a line that is cut off has CPU time")
	}
}

func TestUsageAddsUp(t *testing.T) {
	one, err := usageOf([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	two, err := usageOf([]int{os.Getpid(), os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if one.anonymous <= 0 || one.anonymous > one.rss || two.rss <= one.rss {
		t.Errorf("one is %+v, two are %+v", one, two)
	}
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is how something went: a rate with the CPU time for each, or a memory.
type load struct {
	figure string
	rate   float64 // a second
	cpu    time.Duration
	p99    time.Duration
	rss    int64
	count  int
}

func (l load) String() string {
	if l.count > 0 {
		return fmt.Sprint(l.count)
	}
	if l.rss > 0 {
		return fmt.Sprintf("%d MB RSS", l.rss>>20)
	}
	return fmt.Sprintf("%.0f/s, p99 %s, %s CPU each", l.rate, l.p99.Round(100*time.Microsecond), l.cpu.Round(10*time.Microsecond))
}

// medianLoad is the one with the median rate, or memory.
func medianLoad(all []load) string {
	if len(all) == 0 {
		return "-"
	}
	slices.SortFunc(all, func(a, b load) int { return int(a.rate - b.rate + float64(a.rss-b.rss+int64(a.count-b.count))) })
	return all[len(all)/2].String()
}

// measureLoad calls f n times, clients at once.
func measureLoad(pids []int, n, clients int, f func(i int) error) (load, error) {
	before, err := usageOf(pids)
	if err != nil {
		return load{}, err
	}
	var next atomic.Int64
	var failed sync.Once
	var wrong error
	took := make([]time.Duration, n)
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				at := time.Now()
				if err := f(i); err != nil {
					failed.Do(func() { wrong = err })
				}
				took[i] = time.Since(at)
			}
		})
	}
	all.Wait()
	while := time.Since(began)
	after, err := usageOf(pids)
	slices.Sort(took)
	return load{rate: float64(n) / while.Seconds(), cpu: (after.cpu - before.cpu) / time.Duration(n), p99: took[n*99/100]}, errors.Join(wrong, err)
}

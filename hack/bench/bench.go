package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

type bench struct {
	contenders   []contender
	rounds, pods int
	kills        int
	only         string
	idle, settle time.Duration
	// tell is called with what is being done, report with each figure of a contender's.
	tell   func(format string, args ...any)
	report func(c contender, figure, format string, args ...any)
}

// parts are what can be measured alone.
var parts = []string{"start", "steady", "agents", "api"}

// run measures everything of all contenders, or the one part: one after the other, and those figures of which several are taken by turns.
func (b *bench) run(ctx context.Context) error {
	if b.only != "" && !slices.Contains(parts, b.only) {
		return fmt.Errorf("-only: there is no part %q (%s)", b.only, strings.Join(parts, ", "))
	}
	if b.measures("start") {
		if err := b.starts(ctx); err != nil {
			return err
		}
	}
	for _, c := range b.contenders {
		if !b.measures("steady") {
			break
		}
		b.tell("%s: a cluster with nothing to do, Pods, and kill -9", c.name())
		if err := b.steady(ctx, c); err != nil {
			return fmt.Errorf("measuring %s on one node: %w", c.name(), err)
		}
	}
	for _, c := range b.contenders {
		if !b.measures("agents") {
			break
		}
		b.tell("%s: agents", c.name())
		if err := b.agents(ctx, c); err != nil {
			return fmt.Errorf("measuring agents of %s: %w", c.name(), err)
		}
	}
	if b.measures("api") {
		return b.api(ctx)
	}
	return nil
}

func (b *bench) measures(part string) bool { return b.only == "" || b.only == part }

// starts measures how large all is, and how fast it starts.
func (b *bench) starts(ctx context.Context) error {
	for _, c := range b.contenders {
		size, err := c.size()
		if err != nil {
			return err
		}
		b.report(c, "size of the programs", "%.1f MB", float64(size)/1e6)
	}
	if err := b.controlPlanes(ctx); err != nil {
		return err
	}
	return b.nodes(ctx)
}

// starts are how long starts took, in a fresh directory and then in the used one.
type starts [2]struct{ ready, node, pod []time.Duration }

var directories = [2]string{"fresh", "used"}

// byTurns has all contenders measured once in each round.
func (b *bench) byTurns(what string, measure func(c contender, into *starts) error) ([]starts, error) {
	all := make([]starts, len(b.contenders))
	for round := range b.rounds {
		for i, c := range b.contenders {
			b.tell("%s: %s, %d of %d", c.name(), what, round+1, b.rounds)
			if err := measure(c, &all[i]); err != nil {
				return nil, fmt.Errorf("measuring %s, %s: %w", c.name(), what, err)
			}
		}
	}
	return all, nil
}

// controlPlanes measures servers that are no nodes.
func (b *bench) controlPlanes(ctx context.Context) error {
	all, err := b.byTurns("control plane alone", func(c contender, into *starts) error { return b.controlPlane(ctx, c, into) })
	if err != nil {
		return err
	}
	for i, directory := range directories {
		for j, c := range b.contenders {
			b.report(c, "control plane alone: exec to /readyz, "+directory+" directory", "%s", median(all[j][i].ready))
		}
	}
	return nil
}

func (b *bench) controlPlane(ctx context.Context, c contender, into *starts) (err error) {
	s, err := c.install(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Down()) }()
	for i := range into {
		r, err := start(ctx, s)
		if err != nil {
			return err
		}
		into[i].ready = append(into[i].ready, r.ready)
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// nodes measures starts of the whole, and of Pods on it.
func (b *bench) nodes(ctx context.Context) error {
	all, err := b.byTurns("one node", func(c contender, into *starts) error { return b.node(ctx, c, into) })
	if err != nil {
		return err
	}
	for i, directory := range directories {
		for j, c := range b.contenders {
			b.report(c, "exec to /readyz, "+directory+" directory", "%s", median(all[j][i].ready))
			if i == 0 { // the second time it still says that it is Ready
				b.report(c, "exec to node Ready, "+directory+" directory", "%s", median(all[j][i].node))
			}
			b.report(c, "exec to first Pod Running, "+directory+" directory", "%s", median(all[j][i].pod))
		}
	}
	return nil
}

func (b *bench) node(ctx context.Context, c contender, into *starts) (err error) {
	s, err := c.install(true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Down()) }()
	for i := range into {
		r, err := start(ctx, s)
		if err != nil {
			return err
		}
		node, pod, err := r.firstPod(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the first Pod: %w", err)
		}
		into[i].ready, into[i].node, into[i].pod = append(into[i].ready, r.ready), append(into[i].node, node), append(into[i].pod, pod)
		if i == 0 {
			if err := s.Complete(ctx); err != nil {
				return err
			}
		}
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// steady measures a running cluster with nothing to do, then Pods one at a time, then kill -9.
func (b *bench) steady(ctx context.Context, c contender) (err error) {
	s, err := c.install(true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Down()) }()
	r, err := start(ctx, s)
	if err != nil {
		return err
	}
	if _, _, err := r.firstPod(ctx); err != nil {
		return err
	}
	if err := s.Complete(ctx); err != nil {
		return err
	}
	pids, err := s.ServerProcesses()
	if err != nil {
		return err
	}
	if err := b.reportIdle(c, "idle", pids); err != nil {
		return err
	}
	if err := b.onePodAtATime(ctx, c, r); err != nil {
		return err
	}
	if err := b.restarts(ctx, c, r); err != nil {
		return err
	}
	return s.Stop()
}

func (b *bench) onePodAtATime(ctx context.Context, c contender, r *running) error {
	var took []time.Duration
	for i := range b.pods {
		began := time.Now()
		at, err := r.runPod(ctx, fmt.Sprintf("pod-%d", i))
		if err != nil {
			return err
		}
		took = append(took, at.Sub(began))
	}
	slices.Sort(took)
	b.report(c, "Pod creation to Running, one at a time", "%s (p50), %s (p90)", round(took[len(took)/2]), round(took[len(took)*9/10]))
	return nil
}

// reportIdle measures processes together with nothing to do.
func (b *bench) reportIdle(c contender, what string, pids []int) error {
	time.Sleep(b.settle)
	u, share, err := idle(pids, b.idle)
	if err != nil {
		return err
	}
	b.report(c, what+": memory", "%d MB RSS, %d MB of it anonymous", u.rss>>20, u.anonymous>>20)
	b.report(c, what+": CPU", "%.2f %% of a core", 100*share)
	return nil
}

func median(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%s (%s to %s)", round(all[len(all)/2]), round(all[0]), round(all[len(all)-1]))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// Package chaos attacks a cluster of two nodes that is being used, at random, and looks at what is left of it afterwards.
package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

var (
	duration = flag.Duration("chaos.duration", 10*time.Minute, "how long the cluster is attacked")
	seed     = flag.Uint64("chaos.seed", 0, "what the order of attacks comes from; 0 takes one at random")
	only     = flag.String("chaos.only", "", "attacks that are made, by name, separated by commas; all if empty")
)

func TestMain(m *testing.M) {
	machines.Init()
	flag.Parse()
	os.Exit(nodens.Main(m, "coracle-chaos-"))
}

// calm is how long a cluster may take to be as it was wanted after the last attack.
const calm = time.Minute

func TestClusterOutlivesAttacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make chaos")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("the seed is %d: make chaos ARGS='-chaos.seed=%[1]d'", *seed)
	w := newWorld(t)
	before := w.traces()
	goroutines, err := w.goroutines()
	if err != nil {
		t.Fatal(err)
	}
	w.attack(rand.New(rand.NewPCG(*seed, 0)))
	if t.Failed() {
		return
	}
	w.converges()
	w.load.check(t, w.client)
	w.removeAll()
	w.leavesNothing(before)
	w.leavesNoGoroutines(goroutines)
}

// attack uses the cluster and attacks it meanwhile. When it returns, neither happens any more, and coracle runs on all nodes.
func (w *world) attack(random *rand.Rand) {
	ctx, end := context.WithTimeout(w.t.Context(), *duration)
	defer end()
	var using sync.WaitGroup
	for i := range 3 {
		mine := rand.New(rand.NewPCG(*seed, uint64(i+1)))
		using.Go(func() { w.load.use(ctx, w.client, i, mine) })
	}
	chosen := w.chosen()
	for number := 1; ctx.Err() == nil; number++ {
		wait(ctx, time.Duration(1+random.IntN(10))*time.Second)
		if ctx.Err() != nil {
			break
		}
		a := chosen[random.IntN(len(chosen))]
		n := w.Nodes[random.IntN(len(w.Nodes))]
		began := time.Now()
		said, err := a.do(w, n, random)
		w.t.Logf("%s attack %d: %s on %s: %s (%.1f s)", began.Format(time.TimeOnly), number, a.name, n.Name, said, time.Since(began).Seconds())
		if err != nil {
			w.t.Errorf("attack %d, %s on %s: %v", number, a.name, n.Name, err)
			break
		}
		w.supervise()
	}
	w.supervise()
	end()
	await.Return(w.t, "the load ended", using.Wait)
	w.t.Log(w.load.String())
}

// supervise starts coracle where it has ended, as systemd would, and says so: with no disk left etcd ends it.
func (w *world) supervise() {
	w.t.Helper()
	for _, n := range w.Nodes {
		running, err := n.Running()
		if err == nil && !running {
			w.t.Logf("coracle had ended by itself on %s", n.Name)
			err = n.Start(w.t.Context())
		}
		if err != nil {
			w.t.Error(err)
		}
	}
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

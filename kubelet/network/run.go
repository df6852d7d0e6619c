package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/apis/bootstrap"
)

const (
	// pause is the least time between two looks at everything. The first change after a quiet time does not wait.
	pause = 100 * time.Millisecond
	// firstRetry and lastRetry bound the time to the next try after an error.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Peers are the nodes among which a machine is one.
type Peers struct {
	// Self is the name of this machine's Node.
	Self string
	// Nodes holds all Nodes, this one among them. It is started by its owner.
	Nodes cache.SharedIndexInformer
	// AlwaysTunnel leads to all nodes through tunnels, also to those on a link with this one: for clouds whose links drop packets
	// with addresses that they have not given out. The same on all nodes.
	AlwaysTunnel bool
	// TunnelPort is the UDP port of the tunnels, the same on all nodes; bootstrap.DefaultTunnelPort unless set.
	TunnelPort int
}

// Run keeps the ways to all other nodes, and gives way to a foreign network configuration for as long as there is one, until ctx
// ends. Routes stay when Run ends: packets flow on while the process restarts. Nodes that are not ready keep theirs, deleted
// ones lose them.
func (n *Network) Run(ctx context.Context, peers Peers) error {
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	outside, err := watch(n.config.ConfDir, wake)
	if err != nil {
		return err
	}
	defer outside.stop()
	registration, err := peers.Nodes.AddEventHandler(nodeHandler(wake))
	if err != nil {
		return fmt.Errorf("listening to nodes: %w", err)
	}
	defer func() { _ = peers.Nodes.RemoveEventHandler(registration) }()
	if !cache.WaitFor(ctx, "", registration.HasSyncedChecker()) {
		return nil
	}
	k := keeper{Network: n, peers: peers, outside: outside}
	for {
		var again <-chan time.Time
		if err := k.sync(ctx); err != nil {
			k.retry = min(max(2*k.retry, firstRetry), lastRetry)
			klog.FromContext(ctx).Error(err, "Keeping the Pod network", "retry", k.retry)
			again = time.After(k.retry)
		} else {
			k.retry = 0
		}
		if err := rest(ctx); err != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-outside.ended:
			return err
		case <-woken:
		case <-again:
		}
	}
}

// rest lets several changes come together.
func rest(ctx context.Context) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// nodeHandler calls wake when anything that counts here has changed: not for heartbeats.
func nodeHandler(wake func()) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake() },
		DeleteFunc: func(any) { wake() },
		UpdateFunc: func(old, object any) {
			before, ok := old.(*corev1.Node)
			after, also := object.(*corev1.Node)
			if ok && also && before != after && !machineOf(before).equal(machineOf(after)) {
				wake()
			}
		},
	}
}

// keeper is what Run remembers.
type keeper struct {
	*Network
	peers   Peers
	outside *changes
	retry   time.Duration
	// foreign is as it was found last, state what OnChange knows once told is set.
	foreign, told bool
	state         State
}

// tell has OnChange know.
func (k *keeper) tell(now State) {
	if now != k.state || !k.told {
		k.state, k.told = now, true
		k.config.OnChange(now)
	}
}

// sync looks at everything once and makes it what it should be.
func (k *keeper) sync(ctx context.Context) error {
	k.outside.heed(nil)
	foreign, err := k.Foreign()
	if err != nil {
		return fmt.Errorf("looking for other network configurations: %w", err)
	}
	self, others := k.machines()
	turned := foreign != k.foreign || !k.told
	if foreign != k.foreign {
		k.foreign = foreign
		klog.FromContext(ctx).Info("Who joins Pods to the network has changed", "foreign", foreign)
	}
	inUse := !foreign
	if foreign {
		if err := remove(k.file()); err != nil {
			return fmt.Errorf("taking away our network configuration: %w", err)
		}
		if inUse, err = hasPods(); err != nil {
			return fmt.Errorf("looking for Pods of ours: %w", err)
		}
	}
	var lost error
	if inUse && (foreign || turned) {
		lost = k.releaseLost(time.Now())
	}
	switch {
	case !inUse:
		k.tell(State{})
		err := k.leave()
		if err == nil {
			k.outside.heed(map[int]bool{})
		}
		return err
	case len(self.ranges) == 0: // as it was: the Node is not there yet, or for the moment not
		now, err := k.State()
		if err == nil {
			k.tell(now)
		}
		return errors.Join(lost, err)
	}
	return errors.Join(lost, k.lead(self, others, foreign), k.Join(self.ranges))
}

// lead makes the ways to others' Pods, and has itself told of changes of the links that they take; under a foreign configuration
// also when the last link of a Pod of ours goes.
func (k *keeper) lead(self machine, others []machine, foreign bool) error {
	f := finder{links: map[int]netlink.Link{}, never: k.peers.AlwaysTunnel}
	p, port := decide(self, others, f.path), cmp.Or(k.peers.TunnelPort, bootstrap.DefaultTunnelPort)
	now := State{InUse: true}
	if p.tunnel != nil {
		now.TunnelPort = port
	}
	k.tell(now) // before there is a tunnel for strangers to send to
	tunnel, err := p.apply(port)
	if err != nil || foreign {
		return err
	}
	links := map[int]bool{tunnel: true}
	for index := range f.links {
		links[index] = true
	}
	k.outside.heed(links)
	return nil
}

// machines reads the Nodes: this one, and all.
func (k *keeper) machines() (self machine, all []machine) {
	for _, object := range k.peers.Nodes.GetStore().List() {
		node, ok := object.(*corev1.Node)
		if !ok {
			continue
		}
		m := machineOf(node)
		if node.Name == k.peers.Self {
			self = m
		}
		all = append(all, m)
	}
	return self, all
}

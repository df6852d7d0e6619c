package iptables

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/coracle-k8s/coracle/guard"
)

const (
	// canary is how often rules are looked at that change without a word: those of iptables-legacy.
	canary = 30 * time.Second
	// groupNFTables has the kernel's words on nftables (NFNLGRP_NFTABLES).
	groupNFTables = 7
	// newGeneration ends each transaction.
	newGeneration = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN
)

// Watcher tells when others than its Backend may have changed rules.
type Watcher struct {
	changes chan struct{}
	socket  *nl.NetlinkSocket
	cancel  context.CancelFunc
	group   guard.Group
}

// Watch begins to watch the rules of the caller's network namespace. iptables is one of two programs: what the one writes
// (nft), the kernel tells of, at once and for nothing; what the other writes (legacy) has to be looked at.
func (b *Backend) Watch(ctx context.Context) *Watcher {
	w := &Watcher{changes: make(chan struct{}, 1)}
	ctx, w.cancel = context.WithCancel(ctx)
	var err error
	if tells(ctx) {
		if w.socket, err = subscribe(); err == nil {
			w.group.Keep(ctx, "watching packet rules", func(ctx context.Context) { w.receive(ctx, b.writers.has) })
			return w
		}
		klog.FromContext(ctx).Info("The kernel does not tell of changes of packet rules, they are looked at instead", "every", canary, "err", err)
	}
	w.group.Keep(ctx, "looking at packet rules", w.tick)
	return w
}

// Changes has a value when rules may have changed since the value before was taken.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Stop ends the watch, and returns when it has ended.
func (w *Watcher) Stop() {
	w.cancel()
	if w.socket != nil {
		w.socket.Close()
	}
	w.group.Wait()
}

func (w *Watcher) tell() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

func (w *Watcher) tick(ctx context.Context) {
	ticker := time.NewTicker(canary)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.tell()
		}
	}
}

// receive tells of transactions by processes other than ours until the context has ended and the socket is closed.
func (w *Watcher) receive(ctx context.Context, ours func(pid int) bool) {
	for {
		messages, _, err := w.socket.Receive()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.tell() // some were lost, or it cannot be known
			if !errors.Is(err, unix.ENOBUFS) {
				klog.FromContext(ctx).Error(err, "Watching packet rules")
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
		for _, m := range messages {
			if m.Header.Type == newGeneration && !ours(author(m)) {
				w.tell()
			}
		}
	}
}

// author is the process whose transaction a message tells of, 0 if it does not say.
func author(m syscall.NetlinkMessage) int {
	if len(m.Data) < nl.SizeofNfgenmsg {
		return 0
	}
	attributes, err := nl.ParseRouteAttr(m.Data[nl.SizeofNfgenmsg:])
	if err != nil {
		return 0
	}
	for _, a := range attributes {
		if a.Attr.Type == unix.NFTA_GEN_PROC_PID && len(a.Value) == 4 {
			return int(binary.BigEndian.Uint32(a.Value))
		}
	}
	return 0
}

// tells says whether the kernel tells of what the installed iptables writes.
func tells(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "iptables", "--version").Output()
	return err == nil && strings.Contains(string(out), "nf_tables")
}

// subscribe opens a socket that gets the ends of transactions, and none of the rules in them.
func subscribe() (*nl.NetlinkSocket, error) {
	socket, err := nl.Subscribe(unix.NETLINK_NETFILTER, groupNFTables)
	if err != nil {
		return nil, fmt.Errorf("subscribing to changes of packet rules: %w", err)
	}
	// The filter loads in network order what netlink writes in the machine's own.
	var kind [2]byte
	binary.NativeEndian.PutUint16(kind[:], newGeneration)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: uint32(unsafe.Offsetof(unix.NlMsghdr{}.Type))},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(binary.BigEndian.Uint16(kind[:]))},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(socket.GetFd(), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter); err != nil {
		socket.Close()
		return nil, fmt.Errorf("filtering changes of packet rules: %w", err)
	}
	return socket, nil
}

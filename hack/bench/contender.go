package main

import (
	"context"
	"time"

	"k8s.io/client-go/rest"
)

// contender is one of those that are measured.
type contender interface {
	// name heads its column.
	name() string
	// size is that of all programs that it consists of, in bytes.
	size() (int64, error)
	// install makes a server in a fresh directory, of which nothing runs yet, with a node or as a control plane alone.
	install(node bool) (server, error)
	// fleet runs a server that agents can join.
	fleet(ctx context.Context) (fleet, error)
}

// server is a control plane on one machine.
type server interface {
	// Start executes what serves the API and returns at once. Parts that run already are left alone.
	Start(ctx context.Context) error
	// Proceed executes what waits for the API, which is ready now.
	Proceed(ctx context.Context) error
	// Complete adds what users expect of a cluster if it is not there by itself, and returns when it works.
	Complete(ctx context.Context) error
	// Stop ends all parts as a shutdown does; containers live on.
	Stop() error
	// Kill ends what serves the API and what keeps its state with kill -9.
	Kill() error
	// ServerProcesses are those whose memory and CPU count.
	ServerProcesses() ([]int, error)
	URL() string
	AdminConfig() (*rest.Config, error)
	// LastWords are what it wrote last in its logs.
	LastWords() string
	// Down ends and removes all of it. Idempotent.
	Down() error
}

// fleet is a cluster that machines join.
type fleet interface {
	// Add makes another machine, where nothing runs yet, and returns its name as a node.
	Add() (string, error)
	// Join executes what makes the machine that was added last an agent, and returns at once when that was.
	Join(ctx context.Context) (time.Time, error)
	// AgentProcesses are those of the agent that was added last.
	AgentProcesses() ([]int, error)
	AdminConfig() (*rest.Config, error)
	// Down ends and removes all of it.
	Down() error
}

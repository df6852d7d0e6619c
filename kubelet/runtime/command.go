package runtime

import (
	"io"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// Command is one that is run in a container beside its own, with what it reads and writes.
type Command struct {
	// Container is the runtime's ID of the container.
	Container string
	Args      []string
	// Terminal gives it a terminal: then there is no Stderr, and Resize tells the terminal's sizes.
	Terminal bool
	// Stdin is read to its end, nil is none. Stdout and Stderr may be nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Resize         <-chan remotecommand.TerminalSize
}

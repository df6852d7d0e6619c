package machines

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

const (
	// settingsVariable says in a re-executed process's environment that it is a machine's first process, and which.
	settingsVariable = "CORACLE_MACHINE"
	// furnished is what it answers when the machine can be used; anything else is an error.
	furnished = "furnished"
)

// Init is to be called before anything else in main. It does nothing, except in the first process of a machine, where it does not
// return.
func Init() {
	encoded, found := os.LookupEnv(settingsVariable)
	if !found {
		return
	}
	answer := os.NewFile(3, "answer")
	unix.CloseOnExec(4) // the lock, if there is one: nobody else on this machine is to keep it
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGCHLD)
	if err := furnish(encoded); err != nil {
		fmt.Fprintln(answer, err)
		os.Exit(1)
	}
	fmt.Fprint(answer, furnished)
	answer.Close()
	for range signals { // orphans are an init's to collect
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 && err != unix.EINTR {
				break
			}
		}
	}
}

func furnish(encoded string) error {
	var s Settings
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := nodens.Furnish(s.Folders); err != nil {
		return err
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: lo.Index}})
}

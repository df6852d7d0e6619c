// Command inside runs a command as if on a machine of its own: in namespaces with an address, a default route and nothing else.
// All that the command starts ends with it. CORACLE_CGROUP_ROOT is the cgroup that a node there is to use as its root.
//
//	go run ./hack/inside bin/coracle up
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: inside COMMAND [ARGUMENT...]")
		return 2
	}
	inside, code, err := nodens.Enter("coracle-inside-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		return 1
	}
	if !inside {
		return code
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CORACLE_CGROUP_ROOT="+nodens.CgroupRoot())
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		return 127
	}
	return 0
}

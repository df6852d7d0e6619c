// Command test runs go test and prints a line when a package has ended, what failed tests said, and how many tests were skipped
// and why. With CI=true in the environment tests that were skipped because the machine lacks what they need have failed.
//
//	go run ./hack/test [go test's flags] [packages]
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	began := time.Now()
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r := &report{out: os.Stdout, demand: os.Getenv("CI") == "true"}
	err = errors.Join(r.read(out), cmd.Wait())
	good := r.close(time.Since(began))
	if err != nil || !good {
		return 1
	}
	return 0
}

// read takes go test's events, as cmd/test2json documents them. What is no event is passed on.
func (r *report) read(from io.Reader) error {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				_, _ = r.out.Write(line)
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading go test's output: %w", err)
		}
	}
}

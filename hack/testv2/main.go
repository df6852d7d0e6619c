// Command testv2 boots an emulated machine with cgroup v2, watches what it says and exits with its verdict.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	work := flag.String("work", "bin/testv2", "folder with the unpacked kernel package, images and test programs")
	limit := flag.Duration("timeout", 15*time.Minute, "how long the machine may take")
	verbose := flag.Bool("v", false, "show all that the machine says, the kernel's messages too")
	flag.Parse()
	if err := test(*work, *limit, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "testv2:", err)
		return 1
	}
	return 0
}

func test(work string, limit time.Duration, verbose bool) error {
	kernels, err := filepath.Glob(filepath.Join(work, "kernel/boot/vmlinuz-*"))
	if err != nil || len(kernels) == 0 {
		return fmt.Errorf("no kernel in %s: use hack/testv2/run.sh", work)
	}
	disk := filepath.Join(work, "initramfs")
	if err := writeRoot(disk, work); err != nil {
		return fmt.Errorf("building the machine's root: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3584", "-nodefaults", "-no-reboot",
		"-display", "none", "-serial", "stdio", "-kernel", kernels[0], "-initrd", disk,
		"-append", "console=ttyS0 rdinit=/init panic=-1 quiet loglevel=3 mitigations=off random.trust_cpu=on")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	verdict := errors.New("the machine ended without a verdict")
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if verbose || !strings.HasPrefix(line, "[") {
			fmt.Println(line)
		}
		switch {
		case strings.HasPrefix(line, "testv2: PASS"):
			verdict = nil
		case strings.HasPrefix(line, "testv2: FAIL"):
			verdict = errors.New(strings.TrimPrefix(line, "testv2: FAIL: "))
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() != nil {
		return fmt.Errorf("the machine did not end within %s", limit)
	}
	return verdict
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coracle-k8s/coracle/e2e/machines"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

// coracle is what this is about.
type coracle struct {
	// binary and images are the program and an archive that nodes load.
	binary, images string
}

func (c coracle) name() string { return "Coracle" }

func (c coracle) size() (int64, error) {
	info, err := os.Stat(c.binary)
	if err != nil {
		return 0, fmt.Errorf("nothing to measure: %w; make build", err)
	}
	return info.Size(), nil
}

func (c coracle) install(node bool) (server, error) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		return nil, err
	}
	s := &coracleServer{binary: c.binary, dir: dir, node: node}
	if !node {
		return s, nil
	}
	content, err := os.ReadFile(c.images)
	if err != nil {
		return nil, fmt.Errorf("no image to run: %w; make images", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o755); err != nil {
		return nil, err
	}
	return s, os.WriteFile(filepath.Join(dir, "images", filepath.Base(c.images)), content, 0o644)
}

// coracleServer is coracle server in the namespaces that the benchmark is in.
type coracleServer struct {
	binary, dir string
	node        bool
	cmd         *exec.Cmd // while it runs
}

const port = "16443"

func (s *coracleServer) Start(ctx context.Context) error {
	if err := os.RemoveAll(s.log()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.binary, "server", "--data-dir", s.dir, "--https-port", port, "--node-name", "n1",
		"--cgroup-root", nodens.CgroupRoot(), "--eviction-hard", nodens.Pressure, "--log-file", s.log())
	if !s.node {
		cmd.Args = append(cmd.Args, "--no-node")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	return nil
}

func (s *coracleServer) Proceed(context.Context) error  { return nil }
func (s *coracleServer) Complete(context.Context) error { return nil }

func (s *coracleServer) Stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := s.cmd.Wait()
	if s.cmd = nil; err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	return nil
}

func (s *coracleServer) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	s.cmd = nil
	return nil
}

func (s *coracleServer) ServerProcesses() ([]int, error) { return []int{s.cmd.Process.Pid}, nil }
func (s *coracleServer) URL() string                     { return "https://127.0.0.1:" + port }

func (s *coracleServer) AdminConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "admin.conf"))
}

func (s *coracleServer) log() string { return filepath.Join(s.dir, "server.log") }

func (s *coracleServer) LastWords() string { return lastLine(s.log()) }

func (s *coracleServer) Down() error {
	if s.cmd != nil {
		if err := s.Kill(); err != nil {
			return err
		}
	}
	if s.node {
		cmd := exec.Command(s.binary, "reset", "--data-dir", s.dir)
		cmd.Env = append(os.Environ(), "HOME="+s.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("coracle reset: %w: %s", err, out)
		}
	}
	return os.RemoveAll(s.dir)
}

func (c coracle) fleet(ctx context.Context) (fleet, error) {
	dir, err := os.MkdirTemp("", "cb")
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs(c.binary)
	if err != nil {
		return nil, err
	}
	made, err := machines.Create(machines.Config{Dir: dir, Program: program, CgroupRoot: nodens.CgroupRoot() + "/machines"})
	if err != nil {
		return nil, err
	}
	if err := made.Up(ctx, func(string) {}); err != nil {
		return nil, errors.Join(err, made.Down())
	}
	return &coracleFleet{Cluster: made}, nil
}

type coracleFleet struct {
	*machines.Cluster
	added *machines.Node
}

func (f *coracleFleet) Add() (name string, err error) {
	if f.added, err = f.AddNode(); err != nil {
		return "", err
	}
	return f.added.Name, nil
}

// Join does not count the making of the token, as that is not done on the machine that joins.
func (f *coracleFleet) Join(ctx context.Context) (time.Time, error) {
	err := f.added.Start(ctx) // returns when the process is there
	return time.Now(), err
}

func (f *coracleFleet) AgentProcesses() ([]int, error) {
	pids, err := f.added.Coracle()
	if err == nil && len(pids) != 1 {
		err = fmt.Errorf("the agent runs %d times", len(pids))
	}
	return pids, err
}

func lastLine(file string) (line string) {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if text := strings.TrimSpace(scanner.Text()); text != "" {
			line = text
		}
	}
	return line
}

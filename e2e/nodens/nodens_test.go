package nodens

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// act is what the test binary does instead of testing when a test runs it.
const act = "NODENS_TEST_ACT"

func TestMain(m *testing.M) {
	what := os.Getenv(act)
	if what == "" {
		os.Exit(m.Run())
	}
	inside, code, err := Enter("crt-self-")
	if err != nil {
		println(err.Error())
	}
	if !inside {
		os.Exit(code)
	}
	if what == "fail" {
		os.Exit(7)
	}
	// A process that is nobody's child any more, in the machine's cgroup, and a word when it runs.
	dir := filepath.Join("/sys/fs/cgroup", CgroupRoot())
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		dir = filepath.Join("/sys/fs/cgroup/pids", CgroupRoot())
	}
	script := "mkdir -p " + dir + "; (echo 0 > " + dir + "/cgroup.procs; exec sleep 31557) & echo " + dir
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
	select {}
}

func run(what string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), act+"="+what)
	return cmd
}

func TestExitCodeComesOut(t *testing.T) {
	if reason := Unsupported(); reason != "" {
		t.Skip("needs namespaces: " + reason)
	}
	if err := run("fail").Run(); err == nil || err.Error() != "exit status 7" {
		t.Errorf("it ended with %v", err)
	}
}

func TestKilledRunLeavesNoProcessAndTheNextNoCgroup(t *testing.T) {
	if reason := Unsupported(); reason != "" {
		t.Skip("needs namespaces: " + reason)
	}
	cmd := run("linger")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir = strings.TrimSpace(dir)
	wait(t, "a process is in "+dir, func() bool { return sleeping(t, dir) == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	wait(t, "no process is left", func() bool { return sleeping(t, dir) == 0 })
	if err := run("fail").Run(); err == nil {
		t.Error("the next run did not run")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

// sleeping counts the processes in a cgroup.
func sleeping(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	return len(strings.Fields(string(content)))
}

func wait(t *testing.T, until string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", until)
		}
	}
}

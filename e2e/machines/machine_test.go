package machines

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/await"
	"github.com/coracle-k8s/coracle/e2e/nodens"
)

func TestMain(m *testing.M) {
	Init()
	os.Exit(nodens.Main(m, "coracle-machines-"))
}

func newMachine(t *testing.T, s Settings) *Machine {
	t.Helper()
	nodens.Need(t)
	m, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func output(t *testing.T, m *Machine, command ...string) string {
	t.Helper()
	out, err := m.Output(await.Command(t, command[0], command[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestMachineHasItsOwnNameProcessesFoldersAndNetwork(t *testing.T) {
	kept := t.TempDir()
	m := newMachine(t, Settings{Name: "alpha", Folders: map[string]string{"/etc/cni": kept}})
	if name := output(t, m, "hostname"); name != "alpha" {
		t.Errorf("it is called %q", name)
	}
	if first := output(t, m, "cat", "/proc/1/cmdline"); strings.Trim(first, "\x00") != "machine-alpha" {
		t.Errorf("its first process is %q", first)
	}
	if links := output(t, m, "ls", "/sys/class/net"); strings.Contains(links, "eth0") {
		t.Errorf("it shows the links %q", links)
	}
	output(t, m, "touch", "/etc/cni/here", "/run/there")
	if _, err := os.Stat(filepath.Join(kept, "here")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/run/there"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its /run is ours: %v", err)
	}
	if err := m.Run(await.Command(t, "false")); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("false ended with %v", err)
	}
}

func TestDestroyedMachineLeavesNoProcess(t *testing.T) {
	m := newMachine(t, Settings{Name: "beta"})
	cmd := await.Command(t, "sleep", "31557")
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := m.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if pids, err := m.Processes("sleep", "31557"); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		t.Errorf("processes: %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
	if pids, err := m.Processes("sleep", "3155"); err != nil || len(pids) != 0 {
		t.Errorf("processes of other arguments: %v, %v", pids, err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	for range 2 {
		if err := m.Destroy(); err != nil {
			t.Fatal(err)
		}
	}
	if err := await.Receive(t, ended, "the process ended"); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("its process ended with %v", err)
	}
}

func TestMachineKeepsTheLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, Settings{Name: "gamma", Lock: f})
	f.Close()
	again := open()
	defer again.Close()
	if err := unix.Flock(int(again.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("locking what a machine has locked: %v", err)
	}
	if err := m.Destroy(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(again.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("locking after the machine's end: %v", err)
	}
}

func TestLinksJoinMachinesAndARouterJoinsLinks(t *testing.T) {
	nodens.Need(t)
	for _, l := range links {
		if err := l.Lay(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for range 2 {
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	a, b, c := newMachine(t, Settings{Name: "a"}), newMachine(t, Settings{Name: "b"}), newMachine(t, Settings{Name: "c"})
	for _, w := range []struct {
		machine *Machine
		link    Link
		address string
	}{{a, links[0], "172.30.0.1"}, {b, links[0], "172.30.0.2"}, {c, links[1], "172.30.1.3"}} {
		if err := w.link.Connect(w.machine, netip.MustParseAddr(w.address)); err != nil {
			t.Fatal(err)
		}
	}
	reaches := func(from *Machine, address string) bool {
		err := from.Run(await.Command(t, "curl", "--silent", "--connect-timeout", "1", "http://"+address+":1"))
		const refused, timedOut = "exit status 7", "exit status 28"
		if err == nil || err.Error() != refused && err.Error() != timedOut {
			t.Fatal(err)
		}
		return err.Error() == refused
	}
	if !reaches(a, "172.30.0.2") || !reaches(a, "172.30.1.3") || !reaches(c, "172.30.0.2") {
		t.Fatal("a machine does not reach another")
	}
	if route := output(t, a, "ip", "route", "get", "172.30.0.2"); strings.Contains(route, "via") {
		t.Errorf("from a to b there is a router: %s", route)
	}
	if err := links[0].Unplug(b); err != nil {
		t.Fatal(err)
	}
	if reaches(a, "172.30.0.2") || reaches(c, "172.30.0.2") {
		t.Error("a machine that is cut off is reached")
	}
	if !reaches(a, "172.30.1.3") {
		t.Error("cutting off one machine cut off others")
	}
	if err := links[0].Plug(b); err != nil {
		t.Fatal(err)
	}
	if !reaches(a, "172.30.0.2") {
		t.Error("a machine is not reached after healing")
	}
}

package chaos

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-k8s/coracle/e2e/machines"
)

// No namespace has a wall clock of its own. What a process takes for the time it asks a function for which the kernel maps into it (the
// vDSO): of coracle on one machine that function is replaced, as a debugger would, by one that adds an offset. Shims, runc and the other
// machine keep the right time, so that what they say contradicts coracle, as clocks of several machines do.

// jumpClock lets coracle's clock on a node jump for a while, and back.
func jumpClock(w *world, n *machines.Node, random *rand.Rand) (string, error) {
	longest := []time.Duration{10 * time.Second, 10 * time.Minute, 36 * time.Hour}[random.IntN(3)]
	by := time.Duration(random.Int64N(int64(2*longest)) - int64(longest)).Round(time.Second)
	lasts := time.Duration(1+random.IntN(20)) * time.Second
	pids, err := n.Coracle()
	if err != nil || len(pids) != 1 {
		return fmt.Sprintf("coracle does not run: %v", pids), err
	}
	original, err := replaceClock(pids[0], clockAhead(by))
	if err != nil {
		return "", err
	}
	time.Sleep(lasts)
	if _, err = replaceClock(pids[0], original); errors.Is(err, os.ErrNotExist) {
		err = nil // it has ended meanwhile, and its clock with it
	}
	return fmt.Sprintf("by %s for %s", by, lasts), err
}

// clockAhead is machine code: clock_gettime(rdi, rsi) by a system call, and so many seconds more where it is the wall clock (0) that is
// asked for.
func clockAhead(by time.Duration) []byte {
	code := []byte{
		0xb8, unix.SYS_CLOCK_GETTIME, 0, 0, 0, // mov eax, SYS_CLOCK_GETTIME
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 0x07, // jne +7
		0x48, 0x81, 0x06, // add qword [rsi], the next four bytes
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(int32(by/time.Second)))
	return append(code, 0xc3) // ret
}

// replaceClock puts code in the place of a process's clock_gettime, and returns what was there.
func replaceClock(pid int, code []byte) (old []byte, err error) {
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	start, end, err := vdso(pid)
	if err != nil {
		return nil, err
	}
	at, err := clockFunction(memory, start, end)
	if err != nil {
		return nil, err
	}
	if err := stopOutside(pid, start, end); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.Kill(pid, unix.SIGCONT)) }()
	old = make([]byte, len(code))
	if _, err := memory.ReadAt(old, at); err != nil {
		return nil, fmt.Errorf("reading the clock's code: %w", err)
	}
	if _, err := memory.WriteAt(code, at); err != nil {
		return nil, fmt.Errorf("writing the clock's code: %w", err)
	}
	return old, nil
}

// vdso is where the kernel's functions are in a process.
func vdso(pid int) (start, end int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &start, &end)
			return start, end, err
		}
	}
	return 0, 0, fmt.Errorf("process %d: %w: its vDSO", pid, os.ErrNotExist)
}

func clockFunction(memory *os.File, start, end int64) (int64, error) {
	image := make([]byte, end-start)
	if _, err := memory.ReadAt(image, start); err != nil {
		return 0, fmt.Errorf("reading the vDSO: %w", err)
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("reading the vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("reading the vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			return start + int64(s.Value), nil
		}
	}
	return 0, errors.New("the vDSO has no clock")
}

// stopOutside stops a process while none of its threads is within a range of its code.
func stopOutside(pid int, start, end int64) error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
			return errors.Join(os.ErrNotExist, err)
		}
		for i := 0; i < 1000; i++ {
			if outside, stopped := threads(pid, start, end); stopped && outside {
				return nil
			} else if stopped {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		if err := unix.Kill(pid, unix.SIGCONT); err != nil {
			return errors.Join(os.ErrNotExist, err)
		}
	}
	return fmt.Errorf("process %d does not stop outside of its clock", pid)
}

// threads says whether all threads of a process are stopped, and none within a range of its code.
func threads(pid int, start, end int64) (outside, stopped bool) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	outside = true
	for _, file := range files {
		content, err := os.ReadFile(file)
		fields := strings.Fields(string(content))
		if err != nil || len(fields) < 3 {
			return false, false // it runs
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(file), "stat"))
		if _, state, _ := strings.Cut(string(stat), ") "); err != nil || !strings.HasPrefix(state, "T") {
			return false, false
		}
		var at int64
		if _, err := fmt.Sscanf(fields[len(fields)-1], "0x%x", &at); err != nil || at >= start && at < end {
			outside = false
		}
	}
	return outside, len(files) > 0
}

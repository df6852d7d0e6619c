package host

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// giveMemoryBack returns to the machine what only starting needed: free heap, and the pages of the program itself that were
// read for it. Those that are used again are mapped again from the page cache, or read. It is a courtesy: errors do not matter.
func giveMemoryBack() {
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, to, ok := unchangeable(lines.Text(), program); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

// unchangeable is the range of a line of /proc/self/maps (proc_pid_maps(5)) that has code or constants of the program: what is in
// memory there is what is in the file.
func unchangeable(line, program string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || fields[1] != "r--p" && fields[1] != "r-xp" {
		return 0, 0, false
	}
	first, last, _ := strings.Cut(fields[0], "-")
	begin, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	end, err := strconv.ParseUint(last, 16, 64)
	return uintptr(begin), uintptr(end), err == nil && end > begin
}

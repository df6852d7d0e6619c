package host

import (
	"bufio"
	"io"
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
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range asInFile(maps, program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// asInFile are the mappings of /proc/self/smaps (proc_pid_smaps(5)) that have code or constants of the program and are what its
// file has. A linker's relocations, for one, are in pages that cannot be written any more and differ from the file: those count
// as anonymous memory.
func asInFile(smaps io.Reader, program string) []mapping {
	var found []mapping
	var last mapping
	ours := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case fields[0] == "Anonymous:":
			if ours && len(fields) > 1 && fields[1] == "0" {
				found = append(found, last)
			}
			ours = false
		case !strings.HasSuffix(fields[0], ":"):
			ours = false
			if len(fields) == 6 && fields[5] == program && (fields[1] == "r--p" || fields[1] == "r-xp") {
				last, ours = addresses(fields[0])
			}
		}
	}
	return found
}

// addresses reads a range like 00400000-0458d000.
func addresses(s string) (mapping, bool) {
	first, last, _ := strings.Cut(s, "-")
	from, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return mapping{}, false
	}
	to, err := strconv.ParseUint(last, 16, 64)
	return mapping{uintptr(from), uintptr(to)}, err == nil && to > from
}

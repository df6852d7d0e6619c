package meter

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Use is what something has used: processor time since it began, and bytes of memory now, without those of files that were not in use
// lately.
type Use struct {
	CPU    time.Duration
	Memory uint64
}

// Gauge reads Use and nothing else, which is little enough to be read for ever: of three files each. It is for one goroutine.
type Gauge struct {
	*Meter
	buffer [8 << 10]byte // more than any of the files that are read
}

// Gauge returns one that reads the same control groups.
func (m *Meter) Gauge() *Gauge { return &Gauge{Meter: m} }

// Use reads a control group by its path from the root. It is fs.ErrNotExist, or another error, where that has gone.
func (g *Gauge) Use(group string) (Use, error) {
	if !g.unified {
		memory := g.mount + "/memory" + group
		cpu, err := g.number(g.mount+"/cpuacct"+group+"/cpuacct.usage", "")
		if err != nil {
			return Use{}, err
		}
		used, err := g.workingSet(memory+"/memory.usage_in_bytes", memory+"/memory.stat", "total_inactive_file ")
		return Use{CPU: time.Duration(cpu), Memory: used}, err
	}
	dir := g.mount + group
	cpu, err := g.number(dir+"/cpu.stat", "usage_usec ")
	if err != nil {
		return Use{}, err
	}
	used, err := g.workingSet(dir+"/memory.current", dir+"/memory.stat", "inactive_file ")
	return Use{CPU: time.Duration(cpu) * time.Microsecond, Memory: used}, err
}

// workingSet is what is in use without what the kernel would take back first. The two are read one after the other, and may cross.
func (g *Gauge) workingSet(usage, stat, inactive string) (uint64, error) {
	used, err := g.number(usage, "")
	if err != nil {
		return 0, err
	}
	files, err := g.number(stat, inactive)
	return used - min(files, used), err
}

// number reads the number that the first line with a prefix goes on with. The kernel gives such a file whole.
func (g *Gauge) number(path, prefix string) (uint64, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, g.buffer[:])
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	for line := range bytes.Lines(g.buffer[:n]) {
		if len(line) > len(prefix) && string(line[:len(prefix)]) == prefix {
			return strconv.ParseUint(string(bytes.TrimSpace(line[len(prefix):])), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, prefix)
}

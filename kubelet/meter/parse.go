package meter

import (
	"bytes"
	"os"
	"strconv"
)

// readFile returns what a file of the kernel holds; nothing where it cannot be read, as in the root of the tree, without a controller, or
// when the group has just gone.
func readFile(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data
}

// firstNumber reads the first word.
func firstNumber(data []byte) (float64, bool) {
	word, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	word, _, _ = bytes.Cut(word, []byte(" "))
	n, err := strconv.ParseFloat(string(word), 64)
	return n, err == nil
}

// noLimit is above what version 1 says where there is no limit: the most that there can be, in whole pages.
const noLimit = 1 << 62

// limit reads a limit; none is 0.
func limit(data []byte) (float64, bool) {
	if bytes.HasPrefix(data, []byte("max")) {
		return 0, true
	}
	n, ok := firstNumber(data)
	if n > noLimit {
		return 0, ok
	}
	return n, ok
}

// pairs calls each with the names and numbers of a file that has one of each on a line.
func pairs(data []byte, each func(name string, value float64)) {
	for line := range bytes.Lines(data) {
		name, number, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(string(number), 64); err == nil {
			each(string(name), n)
		}
	}
}

// from sets a figure to what a file says, if it says something.
func (r *Reading) from(f Figure, path string) {
	if n, ok := firstNumber(readFile(path)); ok {
		r.Set(f, n)
	}
}

func (r *Reading) limitFrom(f Figure, path string) {
	if n, ok := limit(readFile(path)); ok {
		r.Set(f, n)
	}
}

// countLines sets a figure to how many lines a file has, if it can be read.
func (r *Reading) countLines(f Figure, path string) {
	if data, err := os.ReadFile(path); err == nil {
		r.Set(f, float64(bytes.Count(data, []byte("\n"))))
	}
}

// workingSet is what is used without files that were not looked at lately.
func (r *Reading) workingSet() {
	used, known := r.Get(MemoryUsage)
	inactive, ok := r.Get(MemoryInactiveFile)
	if known && ok {
		r.Set(MemoryWorkingSet, max(0, used-inactive))
	}
}

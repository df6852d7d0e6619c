package suite

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Result is how one test ended.
type Result struct {
	Name string `json:"name"`
	// State is passed, or why not: failed, timedout, panicked, interrupted, aborted, hung, skipped.
	State string `json:"state"`
	// Seconds that the test took.
	Seconds float64 `json:"seconds"`
	// At is when it ended.
	At time.Time `json:"at"`
	// Version names the software that was tested.
	Version string `json:"version,omitempty"`
}

// Passed says whether the test passed.
func (r Result) Passed() bool { return r.State == "passed" }

const delimiter = "------------------------------"

var (
	// outcome is a block's line that tells the end of a test: "• [FAILED] [12.345 seconds]".
	outcome = regexp.MustCompile(`^[•S](?: \[([A-Z!]+)\])? \[([0-9.]+) seconds\]$`)
	// node is what the runner writes into a failed test's name: the step that failed.
	node = regexp.MustCompile(`(?:TOP-LEVEL )?\[(?:It|BeforeEach|JustBeforeEach|AfterEach|JustAfterEach|DeferCleanup \(Each\))\] `)
	// version is what the suite logs of the server.
	version = regexp.MustCompile(`kube-apiserver version: (\S+)`)
	// summary is the suite's last word when it went through to its end, be it with failures.
	summary = regexp.MustCompile(`^(?:SUCCESS!|FAIL!) -- [0-9]+ Passed \| `)
)

// reading is what the log of a running suite has told so far.
type reading struct {
	names map[string]bool
	// ended is called with each test's result and everything that was logged of it.
	ended func(r Result, block string)
	// version of the server; empty until the suite has asked.
	version string
	// complete is set when the suite has summed up a run that nobody cut off.
	complete bool
}

func newReading(tests []string) *reading {
	l := &reading{names: map[string]bool{}}
	for _, t := range tests {
		l.names[t] = true
	}
	return l
}

// read follows the log until its end. The log is a sequence of blocks between delimiters, one for each test: the name comes
// first or, of tests that ran side by side, after the outcome.
func (l *reading) read(log io.Reader) error {
	lines := bufio.NewReader(log)
	var block strings.Builder
	var r Result
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimRight(line, "\r\n")
		if text == delimiter || err != nil {
			if r.Name != "" && r.State != "" {
				l.ended(r, block.String())
				r = Result{}
			}
			if r.State != "" {
				r = Result{} // a step of the suite, not a test
			}
			block.Reset()
		} else {
			block.WriteString(line)
			l.line(&r, text)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *reading) line(r *Result, text string) {
	if m := outcome.FindStringSubmatch(text); m != nil {
		r.State = strings.ToLower(strings.TrimRight(m[1], "!"))
		if r.State == "" {
			r.State = "passed"
		}
		r.Seconds, _ = strconv.ParseFloat(m[2], 64)
		return
	}
	if r.Name == "" && (strings.HasPrefix(text, "[") || strings.HasPrefix(text, "TOP-LEVEL ")) {
		r.Name = l.name(text)
	}
	if summary.MatchString(text) {
		l.complete = true
	}
	if l.version == "" {
		if m := version.FindStringSubmatch(text); m != nil {
			l.version = m[1]
		}
	}
}

// name finds the test that a line names: its texts, the failed step among them, and its labels in brackets behind.
func (l *reading) name(text string) string {
	text = node.ReplaceAllString(text, "")
	for {
		if l.names[text] {
			return text
		}
		i := strings.LastIndex(text, " [")
		if i < 0 {
			return ""
		}
		text = text[:i]
	}
}

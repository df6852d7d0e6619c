package host

import (
	"os"
	"strings"
	"unsafe"
)

// HideArgument overwrites a secret wherever it stands in this process's command line. What shows the command line to others,
// /proc/PID/cmdline and ps, reads it from the process's own memory, where os.Args still lies. Strings that were cut from os.Args
// change with it.
func HideArgument(secret string) {
	if secret == "" {
		return
	}
	for _, arg := range os.Args {
		for rest := arg; ; {
			i := strings.Index(rest, secret)
			if i < 0 {
				break
			}
			clear(unsafe.Slice(unsafe.StringData(rest[i:]), len(secret)))
			rest = rest[i+len(secret):]
		}
	}
}

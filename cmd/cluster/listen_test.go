package cluster

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func TestWhoHasThePortIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listen("127.0.0.1", l.Addr().(*net.TCPAddr).Port)
	if want := fmt.Sprintf("address already in use by process %d (", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

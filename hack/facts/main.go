// Command facts follows upstream: it compares what was recorded from two versions of Kubernetes, and brings what this repository
// keeps of such recordings up to one of them. docs/following-upstream.md says when it is run.
//
//	go run ./hack/facts -from NEW -against OLD    prints what is new in NEW
//	go run ./hack/facts -from NEW -write          rewrites the default policy and the tests' copies
//
// A recording is a directory with the objects, discovery, OpenAPI definitions, metrics and answers of one API server:
// see recording.go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() { os.Exit(run()) }

func run() int {
	from := flag.String("from", "", "`directory` of the recording of the newer version")
	against := flag.String("against", "", "`directory` of the recording of the older version")
	gates := flag.String("gates", "", "source of the feature gates of both versions: `OLD.go,NEW.go`")
	write := flag.Bool("write", false, "rewrite this repository's copies, from its root")
	flag.Parse()
	if err := follow(*from, *against, *gates, *write); err != nil {
		fmt.Fprintln(os.Stderr, "facts:", err)
		return 1
	}
	return 0
}

func follow(from, against, gates string, write bool) error {
	if from == "" || (against == "") == !write {
		return errors.New("-from and one of -against and -write are needed")
	}
	newer, err := open(from)
	if err != nil {
		return err
	}
	if write {
		return errors.Join(writePolicy(newer), writeAnswers(newer), writeDiscovery(newer))
	}
	older, err := open(against)
	if err != nil {
		return err
	}
	news(os.Stdout, older, newer)
	if gates == "" {
		return nil
	}
	return gateNews(os.Stdout, gates)
}

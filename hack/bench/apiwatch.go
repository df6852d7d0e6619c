package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// watched counts what watchers are told.
type watched struct {
	watchers [apiWatchers]struct {
		added atomic.Int64
		ended atomic.Bool
	}
}

// watchAll starts watches, which end with the context.
func watchAll(ctx context.Context, ask func(verb string, i int) *rest.Request, mediaType string) (*watched, error) {
	var w watched
	for i := range w.watchers {
		stream, err := ask("GET", i).SetHeader("Accept", mediaType+";stream=watch").Param("watch", "true").Param("resourceVersion", "0").Stream(ctx)
		if err != nil {
			return nil, err
		}
		go func() {
			defer stream.Close()
			_ = countAdded(stream, &w.watchers[i].added, mediaType == runtime.ContentTypeProtobuf)
			w.watchers[i].ended.Store(true)
		}()
	}
	return &w, nil
}

// all waits until each has been told of all objects. A server ends watches whose clients, or itself, do not keep up: they would
// begin again from where they were; here they are counted.
func (w *watched) all() (ended int, err error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		missing := 0
		ended = 0
		for i := range w.watchers {
			if w.watchers[i].added.Load() >= apiObjects {
				continue
			}
			if missing++; w.watchers[i].ended.Load() {
				ended++
			}
		}
		if missing == ended {
			return ended, nil
		}
		if time.Since(began) > patience {
			return ended, fmt.Errorf("%d watchers wait for objects", missing-ended)
		}
	}
}

// countAdded counts the events ADDED in a stream until it ends, without decoding more than their types: lines of JSON, or frames that begin
// with their length in 4 bytes.
func countAdded(stream io.Reader, added *atomic.Int64, frames bool) error {
	r := bufio.NewReaderSize(stream, 64<<10)
	event := make([]byte, 0, 64<<10)
	for {
		var err error
		if frames {
			var length [4]byte
			if _, err = io.ReadFull(r, length[:]); err != nil {
				return err
			}
			event = slices.Grow(event[:0], int(binary.BigEndian.Uint32(length[:])))[:binary.BigEndian.Uint32(length[:])]
			_, err = io.ReadFull(r, event)
		} else {
			event, err = r.ReadSlice('\n')
		}
		if err != nil {
			return err
		}
		if bytes.Contains(event[:min(len(event), 32)], []byte(watch.Added)) {
			added.Add(1)
		}
	}
}

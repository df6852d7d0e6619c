package storage

import (
	"fmt"
	"time"
)

// upkeepPlan is what is done for a database, in this order.
type upkeepPlan struct{ compact, defragment, disarm bool }

const (
	// What is free is given back if it is so much, and half of the file.
	worthwhile = 64 << 20
	// quiet is how many writes a second there are at most while nobody minds a pause; busy clusters get theirs at most daily.
	quiet = 20
	// Pauses that are longer than about a second come rarely.
	shortPause = 128 << 20
	rarely     = 24 * time.Hour
	// While near the quota, a defragmentation that did not help is not tried again at once.
	nearAgain = 10 * time.Minute
)

func (u Usage) near() bool { return u.Size > u.Quota/5*4 }

// decide says what a database needs which is written to at a rate per second and was defragmented some time ago.
func decide(u Usage, rate float64, since time.Duration) (p upkeepPlan) {
	free := u.Size - u.InUse
	switch {
	case u.NoSpace: // who deletes something waits for this
		return upkeepPlan{compact: true, disarm: true}
	case u.near():
		return upkeepPlan{compact: since > nearAgain, defragment: since > nearAgain && free > u.Quota/10}
	case free < worthwhile || free < u.Size/2:
	case rate < quiet && u.InUse < shortPause, since > rarely:
		p.defragment = true
	}
	return p
}

// size is bytes as people read them.
func size(bytes int64) string {
	const mega = 1 << 20
	if bytes < 10*mega {
		return fmt.Sprintf("%.1f MiB", float64(bytes)/mega)
	}
	return fmt.Sprintf("%d MiB", bytes/mega)
}

package bench

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// samples are how long the same thing took, each time.
type samples []time.Duration

func (s *samples) add(d time.Duration) { *s = append(*s, d) }

func (s samples) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

// percentile returns the sample that so many of a hundred do not exceed.
func (s samples) percentile(n int) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[(len(sorted)*n+99)/100-1]
}

func (s samples) say() string {
	return fmt.Sprintf("%s of %d (median %s)", millis(s.percentile(99)), len(s), millis(s.median()))
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

const (
	// quietTime is how long a ping over a socket may take, for which nothing is read or
	// written, and a file of syncedBytes to reach the disk, where nothing else keeps the
	// machine busy. Each frame that is timed waits for one or two commits.
	quietTime   = liveGoal / 5
	syncedBytes = 16 << 10
)

// beside is what pings and the disk took beside frames that are timed on the same
// machine.
type beside struct{ pings, syncs samples }

// sync times a file on its way to the disk that it is on.
func (b *beside) sync(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, syncedBytes)); err != nil {
		return err
	}
	began := time.Now()
	err = f.Sync()
	b.syncs.add(time.Since(began))
	return err
}

// judge adds a line about so many frames of a hundred, with a goal unless as many pings
// or files show that the machine is too busy for it.
func (b *beside) judge(t *tier, percent int, name, measured, goal string, met bool) {
	if max(b.pings.percentile(percent), b.syncs.percentile(percent)) > quietTime {
		t.note(name, measured+": the machine is too busy to judge")
		return
	}
	t.hold(name, measured, goal, met)
}

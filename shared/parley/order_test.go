package parley_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// TestInvariant12OneOrder: numbers are dense and times strictly later, whatever
// the clocks say and whoever writes; and what comes after a number comes without
// a gap and once.
func TestInvariant12OneOrder(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, clock := range map[string]func(reads int) time.Time{
		"a clock that stands":      func(int) time.Time { return start },
		"a clock that goes back":   func(n int) time.Time { return start.Add(-time.Duration(n) * 100 * time.Millisecond) },
		"clocks that differ":       func(n int) time.Time { return start.Add(time.Duration(n%2) * time.Minute) },
		"a clock of microseconds ": func(n int) time.Time { return start.Add(time.Duration(n) * 300 * time.Microsecond) },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(s scene) {
				p := generous()
				p.Budgets.MessagesPerMinute = 1 // whose burst covers nine minutes of difference
				parleytest.Put(s, s.store, p)
				reads := 0
				s.store = parleytest.Store(s, parley.Config{Table: s.table, Bucket: s.bucket, Now: func() time.Time {
					reads++
					return clock(reads)
				}})
				id := s.everyKindOfEntry()
				s.inOrder(id)
			})
		})
	}
	t.Run("writers at once", func(t *testing.T) { onBoth(t, writersAtOnce) })
	t.Run("after a number", func(t *testing.T) { onBoth(t, afterANumber) })
}

// everyKindOfEntry makes a session with everything that takes a place in its order.
func (s scene) everyKindOfEntry() parley.SessionID {
	s.Helper()
	ctx := context.Background()
	id := s.turn("opening").ID
	s.fail(s.send(say("failing", id)).Claim)
	s.send(say("running", id))
	s.send(say("waiting", id))
	s.send(ifBusy("superseding", id, parley.BusySupersede))
	for _, err := range []error{
		s.store.Resolve(ctx, s.visitor, id, human("me")),
		s.store.TakeOver(ctx, s.operator(), id, human("Ola")),
		s.store.HandBack(ctx, s.operator(), id, human("Ola")),
	} {
		if err != nil {
			s.Fatal(err)
		}
	}
	s.rate(id, 4, "")
	s.reply(s.send(say("last", id)).Claim, "a ", "reply")
	return id
}

// inOrder checks the numbers and times of a session's entries, and what the
// session says of them.
func (s scene) inOrder(id parley.SessionID) {
	s.Helper()
	entries := parleytest.Entries(s, s.store, s.operator(), id)
	var at int64
	for i, e := range entries {
		if e.Seq != parley.Seq(i+1) || e.At <= at {
			s.Errorf("entry %d has number %d and time %d after %d", i+1, e.Seq, e.At, at)
		}
		at = e.At
	}
	session := s.session(id)
	if session.Seq != parley.Seq(len(entries)) || session.At != at {
		s.Errorf("the session counts %d entries until %d, there are %d until %d", session.Seq, session.At, len(entries), at)
	}
	messages := slices.DeleteFunc(slices.Clone(entries), func(e parley.Entry) bool { return !e.IsMessage() })
	last := messages[len(messages)-1]
	if session.Messages != len(messages) || session.Last.Seq != last.Seq || session.Last.At != last.At ||
		session.Last.Text != last.Text || session.Last.Kind != last.Author.Kind {
		s.Errorf("the session counts %d messages, the last %+v, there are %d, the last %+v", session.Messages, session.Last, len(messages), last)
	}
}

// writersAtOnce lets processes write to one session at the same time, over a
// table that loses answers, while others read it, from replicas that lag.
func writersAtOnce(s scene) {
	id := s.turn("opening").ID
	network := fault.NewNetwork(fault.NetworkConfig{Table: s.table, Behind: 4})
	process := func(seed uint64) *parley.Store {
		return s.over(network.Process(fault.Config{Seed: seed, Delay: 20 * time.Millisecond, Chance: map[fault.Kind]float64{
			fault.Conflict: 0.1, fault.Unanswered: 0.1, fault.Late: 0.05, fault.Hole: 0.3, fault.Stale: 0.3}}))
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for n := range 4 {
		writers.Go(func() {
			store := process(uint64(n))
			for i := range 5 {
				r := ifBusy(parley.EntryID(fmt.Sprintf("%d.%d", n, i)), id, parley.BusySupersede)
				for {
					_, err := store.Send(context.Background(), s.visitor, r)
					if err == nil {
						break
					}
					if !is(err, parley.ErrUnavailable) && parley.Code(err) != "rate_limited" {
						s.Errorf("send: %v", err)
						return
					}
					await(30 * time.Millisecond)
				}
			}
		})
	}
	seen := make([][]parley.Entry, 3)
	for n := range seen {
		readers.Go(func() { seen[n] = s.readAll(process(uint64(100+n)), id, done) })
	}
	writers.Wait()
	network.Settle()
	close(done)
	readers.Wait()
	s.inOrder(id)
	all := parleytest.Entries(s, s.store, s.visitor, id)
	for n, got := range seen {
		if !reflect.DeepEqual(got, all) {
			s.Errorf("reader %d saw %q, want %q", n, parleytest.Brief(got), parleytest.Brief(all))
		}
	}
}

// readAll asks for what is new until all is done and nothing is new.
func (s scene) readAll(store *parley.Store, id parley.SessionID, done chan struct{}) (seen []parley.Entry) {
	after := parley.Seq(0)
	for {
		over := false
		select {
		case <-done:
			over = true
		default:
		}
		got, err := store.Since(context.Background(), s.visitor, id, after)
		if err != nil && !is(err, parley.ErrUnavailable) {
			s.Errorf("since: %v", err)
			return seen
		}
		if err == nil {
			if n := parley.Seq(len(got.Entries)); got.Upto != after+n {
				s.Errorf("%d entries after %d, up to %d", n, after, got.Upto)
			}
			seen, after = append(seen, got.Entries...), got.Upto
			if over && after == s.session(id).Seq {
				return seen
			}
		}
		await(5 * time.Millisecond)
	}
}

func afterANumber(s scene) {
	id := s.everyKindOfEntry()
	all := parleytest.Entries(s, s.store, s.visitor, id)
	for after := -1; after <= len(all)+1; after++ {
		got, err := s.store.Since(context.Background(), s.visitor, id, parley.Seq(after))
		from := min(max(after, 0), len(all))
		if err != nil || len(got.Entries) != len(all)-from || len(got.Entries) > 0 && !reflect.DeepEqual(got.Entries, all[from:]) ||
			got.Upto != parley.Seq(max(after, len(all))) || got.Session.Seq != parley.Seq(len(all)) {
			s.Errorf("Since(%d) = %q up to %d, %v", after, parleytest.Brief(got.Entries), got.Upto, err)
		}
	}
}

// TestSinceInPages: more than a page comes in pages, without gap or repeat.
func TestSinceInPages(t *testing.T) {
	onBolt(t, func(s scene) {
		id := s.turn("opening").ID
		for n := range 130 {
			parleytest.Turn(s, s.store, s.visitor, parley.EntryID(fmt.Sprint(n)), id)
			await(time.Second)
		}
		var seen []parley.Entry
		var pages []int
		for after := parley.Seq(0); after < 262; {
			got, err := s.store.Since(context.Background(), s.visitor, id, after)
			if err != nil {
				s.Fatal(err)
			}
			seen, after, pages = append(seen, got.Entries...), got.Upto, append(pages, len(got.Entries))
		}
		if !reflect.DeepEqual(seen, parleytest.Entries(s, s.store, s.visitor, id)) || !slices.Equal(pages, []int{100, 100, 62}) {
			s.Errorf("%d entries in pages of %v", len(seen), pages)
		}
	})
}

package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// disciple is a follower that remembers what it was given.
type disciple struct {
	scene
	way parley.Following
	mu  sync.Mutex
	got []parley.Seq // of every entry whose work was done
	// fails, if set, is asked before each entry is done.
	fails func(e parley.Entry, tries int) error
}

func (s scene) follower(id parley.SessionID) *disciple {
	return &disciple{scene: s, way: parley.Following{Project: "demo", Session: id, Follower: "hook/1"}}
}

func (d *disciple) do(_ context.Context, w parley.Stretch) (parley.Seq, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	upto := w.After
	for _, e := range w.Entries {
		if e.Seq != upto+1 {
			d.Errorf("entry %d follows %d", e.Seq, upto)
		}
		if d.fails != nil {
			if err := d.fails(e, w.Tries); err != nil {
				return upto, err
			}
		}
		upto = e.Seq
		d.got = append(d.got, e.Seq)
	}
	return upto, nil
}

func (d *disciple) follow(store *parley.Store) error {
	return store.Follow(context.Background(), d.way, d.do)
}

// sweep sweeps, and follows where the sweep says so.
func (d *disciple) sweep() (woken int) {
	d.Helper()
	_, err := d.store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive, Wake: func(_ context.Context, f parley.Following) error {
		if f != d.way {
			d.Errorf("woken for %+v", f)
		}
		woken++
		return d.follow(d.store)
	}})
	if err != nil {
		d.Fatal(err)
	}
	return woken
}

// all fails the test unless every entry of the session was done, and in order
// but for what was begun again.
func (d *disciple) all(what string) {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	done := parley.Seq(0)
	for _, n := range d.got {
		if n > done+1 {
			d.Fatalf("%s: done %v", what, d.got)
		}
		done = max(done, n)
	}
	if newest := d.session(d.way.Session).Seq; done != newest {
		d.Errorf("%s: done %v of %d", what, d.got, newest)
	}
}

// idle fails the test if the sweep still has something for the follower.
func (d *disciple) idle(what string) {
	d.Helper()
	for k, item := range d.table.Dump(d) {
		if strings.HasPrefix(k.SK, "mark/") && (item.String("ws") != "" || item.Int("until") > 0) {
			d.Errorf("%s: the mark is %v", what, item)
		}
	}
}

func TestFollow(t *testing.T) {
	t.Run("in order, once", func(t *testing.T) { onBoth(t, followOnce) })
	t.Run("a failure", func(t *testing.T) { onBoth(t, followFailing) })
	t.Run("growing pauses", func(t *testing.T) { onBolt(t, followPauses) })
	t.Run("a bell during a pause", func(t *testing.T) { onBoth(t, followPause) })
	t.Run("somebody at work", func(t *testing.T) { onBoth(t, followHeld) })
	t.Run("a crowd", func(t *testing.T) { onBoth(t, followCrowd) })
	t.Run("a worker that hangs", func(t *testing.T) { onBoth(t, followHung) })
	t.Run("nothing done", func(t *testing.T) { onBolt(t, followIdler) })
	t.Run("erased", func(t *testing.T) { onBoth(t, followErased) })
	t.Run("ended meanwhile", func(t *testing.T) { onBoth(t, followEnding) })
	t.Run("a clock set back", func(t *testing.T) { onBolt(t, followClock) })
	t.Run("a long session", func(t *testing.T) { onBolt(t, followLong) })
	t.Run("units", func(t *testing.T) { onBolt(t, followUnits) })
}

func followOnce(s scene) {
	d := s.follower(s.turn("m").ID)
	for n := range 3 {
		s.want("follow", d.follow(s.store), "")
		d.all("in order")
		s.unchanged("with nothing to do", func() { s.want("follow", d.follow(s.store), "") })
		s.reply(s.send(say(parley.EntryID(fmt.Sprint("m", n)), d.way.Session)).Claim, "reply")
	}
	s.want("follow", d.follow(s.store), "")
	if !slices.Equal(d.got, []parley.Seq{1, 2, 3, 4, 5, 6, 7, 8}) {
		s.Errorf("done %v", d.got)
	}
	d.idle("in the end")
	unknown := d.way
	unknown.Session = "nobody"
	s.unchanged("a session that is not there", func() {
		s.want("follow", s.store.Follow(context.Background(), unknown, d.do), "")
	})
	other := s.follower(d.way.Session)
	other.way.Follower = "hook/2"
	s.want("follow", other.follow(s.store), "")
	other.all("another follower")
}

var errEndpoint = errors.New("endpoint is down")

// followFailing: what fails is tried again when its worker said, from where it
// failed, and the tries are counted from there.
func followFailing(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.follower(s.turn("m").ID)
	down, tries := true, []int{}
	d.fails = func(e parley.Entry, n int) error {
		if e.Seq == 2 {
			tries = append(tries, n)
			if down {
				return &parley.Later{At: time.Now().Add(10 * time.Minute), Err: errEndpoint}
			}
		}
		return nil
	}
	if err := d.follow(s.store); !errors.Is(err, errEndpoint) {
		s.Errorf("follow = %v", err)
	}
	for minute := range 20 {
		await(time.Minute)
		if woken := d.sweep() > 0; woken != (minute == 9 || minute == 19) {
			s.Errorf("woken after %d minutes: %v", minute+1, woken)
		}
		down = minute < 15
	}
	d.all("after failures")
	d.idle("after failures")
	if !slices.Equal(tries, []int{0, 1, 2}) || !slices.Equal(d.got, []parley.Seq{1, 2}) {
		s.Errorf("tried %v times, done %v", tries, d.got)
	}
	s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
	tries = nil
	d.fails = func(_ parley.Entry, n int) error { tries = append(tries, n); return nil }
	s.want("follow", d.follow(s.store), "")
	if !slices.Equal(tries, []int{0, 0}) {
		s.Errorf("what never failed was tried %v times before", tries)
	}
}

func followPauses(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.follower(s.turn("m").ID)
	var at []int
	began := time.Now()
	d.fails = func(parley.Entry, int) error {
		at = append(at, int(time.Since(began).Minutes()))
		return errEndpoint
	}
	if err := d.follow(s.store); !errors.Is(err, errEndpoint) {
		s.Errorf("follow = %v", err)
	}
	for range 300 {
		await(time.Minute)
		d.sweep()
	}
	if want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}; !slices.Equal(at, want) {
		s.Errorf("tried after %v minutes, want %v", at, want)
	}
}

// followPause: what happens during the pause after a failure ends it no sooner.
func followPause(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.follower(s.turn("m").ID)
	calls := 0
	d.fails = func(parley.Entry, int) error {
		calls++
		return &parley.Later{At: time.Now().Add(10 * time.Minute), Err: errEndpoint}
	}
	if err := d.follow(s.store); !errors.Is(err, errEndpoint) {
		s.Errorf("follow = %v", err)
	}
	for n := range 9 {
		await(time.Minute)
		s.reply(s.send(say(parley.EntryID(fmt.Sprint("meanwhile", n)), d.way.Session)).Claim, "reply")
		s.unchanged("a bell during the pause", func() { s.want("follow", d.follow(s.store), "") })
		d.sweep()
	}
	if calls != 1 {
		s.Errorf("%d calls during the pause", calls)
	}
	d.fails = nil
	await(2 * time.Minute)
	if d.sweep() != 1 {
		s.Error("nobody was woken after the pause")
	}
	d.all("after the pause")
	d.idle("after the pause")
}

// followHeld: who comes while somebody is at work does nothing, and what it came
// for is done.
func followHeld(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.follower(s.turn("m").ID)
	calls := 0
	d.fails = func(e parley.Entry, _ int) error {
		if calls++; e.Seq != 2 {
			return nil
		}
		s.reply(s.send(say("meanwhile", d.way.Session)).Claim, "reply")
		for range 3 { // bells
			err := s.over(s.table).Follow(context.Background(), d.way, func(context.Context, parley.Stretch) (parley.Seq, error) {
				s.Error("two are at work")
				return 0, errEndpoint
			})
			s.want("follow", err, "")
		}
		return nil
	}
	s.want("follow", d.follow(s.store), "")
	d.all("with bells meanwhile")
	d.idle("with bells meanwhile")
	if calls != 4 {
		s.Errorf("%d calls for 4 entries", calls)
	}
}

// followCrowd: many at once, while entries come, do everything once.
func followCrowd(s scene) {
	d := s.follower(s.turn("m").ID)
	d.fails = func(parley.Entry, int) error { await(100 * time.Millisecond); return nil }
	var crowd sync.WaitGroup
	for n := range 5 {
		crowd.Go(func() {
			await(time.Duration(n) * 150 * time.Millisecond)
			s.want("follow", d.follow(s.over(s.table)), "")
		})
		s.reply(s.send(say(parley.EntryID(fmt.Sprint("m", n)), d.way.Session)).Claim, "reply")
	}
	crowd.Wait()
	s.want("follow", d.follow(s.store), "")
	d.all("in a crowd")
	if len(d.got) != 12 {
		s.Errorf("done %v", d.got)
	}
	d.idle("in a crowd")
}

// followHung: a worker that hangs is followed by another when its lease is over,
// its context ends before, and it can move nothing any more.
func followHung(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.follower(s.turn("m").ID)
	var hung sync.WaitGroup
	hung.Go(func() {
		err := s.store.Follow(context.Background(), d.way, func(ctx context.Context, w parley.Stretch) (parley.Seq, error) {
			<-ctx.Done()
			await(time.Hour) // it heeds nothing
			return w.After + 1, nil
		})
		if !is(err, parley.ErrUnavailable) {
			s.Errorf("the hung worker's Follow = %v", err)
		}
	})
	await(parley.FollowLease - 2*time.Second)
	if d.sweep() != 0 {
		s.Error("woken while the lease is held")
	}
	await(time.Minute)
	var tries []int
	d.fails = func(_ parley.Entry, n int) error { tries = append(tries, n); return nil }
	if d.sweep() != 1 || !slices.Equal(tries, []int{1, 1}) {
		s.Errorf("after the lease: %v tries", tries)
	}
	d.all("after another hung")
	hung.Wait()
	s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
	s.want("follow", d.follow(s.store), "")
	d.all("later")
	d.idle("later")
}

func followIdler(s scene) {
	d := s.follower(s.turn("m").ID)
	for _, wrong := range []parley.Seq{-1, 0} {
		if err := s.store.Follow(context.Background(), d.way, func(context.Context, parley.Stretch) (parley.Seq, error) { return wrong, nil }); err == nil {
			s.Error("a worker that does nothing is no failure")
		}
		await(time.Hour)
	}
	err := s.store.Follow(context.Background(), d.way, func(_ context.Context, w parley.Stretch) (parley.Seq, error) { return 99, nil })
	s.want("follow", err, "")
	s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
	s.want("follow", d.follow(s.store), "")
	if !slices.Equal(d.got, []parley.Seq{3, 4}) {
		s.Errorf("after a mark beyond what was there: done %v", d.got)
	}
}

// followErased: an erased session has no marks, and gets none any more.
func followErased(s scene) {
	d := s.follower(s.turn("m").ID)
	ctx := context.Background()
	s.want("follow", d.follow(s.store), "")
	s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
	other := s.follower(d.way.Session)
	other.way.Follower = "hook/2"
	for _, f := range []*disciple{d, other} {
		f.fails = func(e parley.Entry, _ int) error {
			if e.Seq > 2 || f == other {
				if err := s.store.Erase(ctx, s.visitor, d.way.Session); err != nil && !is(err, parley.ErrNotFound) {
					s.Error(err)
				}
			}
			return nil
		}
		s.want("follow", f.follow(s.store), "")
	}
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.SK, "mark/") {
			s.Errorf("%v is left", k)
		}
	}
}

func followLong(s scene) {
	d := s.follower(s.turn("m").ID)
	for n := range 130 {
		s.reply(s.send(say(parley.EntryID(fmt.Sprint("m", n)), d.way.Session)).Claim, "reply")
	}
	s.want("follow", d.follow(s.store), "")
	d.all("long")
	if len(d.got) != 262 {
		s.Errorf("done %d", len(d.got))
	}
	d.idle("long")
}

// followUnits pins what the doc comment of Follow says.
func followUnits(s scene) {
	d := s.follower(s.turn("m").ID)
	m := meter.New(meter.Config{Table: s.table})
	store := s.over(m)
	for _, want := range []int{7, 0, 4} {
		m.Reset()
		s.want("follow", d.follow(store), "")
		if got := m.Counts().WriteUnits(); got != want {
			s.Errorf("Follow takes %d write units, want %d", got, want)
		}
		if want == 0 {
			s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
		}
	}
}

// TestFollowDeath lets workers die before and after every call to the table, with
// a bell afterwards and without: everything is done, soon, and nothing remains.
func TestFollowDeath(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Unanswered, fault.Late, fault.Throttle} {
		for call, more := 1, true; more; call++ {
			for _, bell := range []bool{false, true} {
				onBolt(t, func(s scene) {
					parleytest.Sweep(s, s.store)
					d := s.follower(s.turn("m").ID)
					network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
					p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}, Delay: 20 * time.Second})
					said := false
					d.fails = func(e parley.Entry, _ int) error {
						if e.Seq == 2 && !said {
							said = true
							s.reply(s.send(say("meanwhile", d.way.Session)).Claim, "reply")
							return s.over(s.table).Follow(context.Background(), d.way, d.do)
						}
						return nil
					}
					err := d.follow(s.over(p))
					more = p.Calls() >= call
					// A worker that died before it had the lease was invoked, and is again.
					again := bell || err != nil
					for n := range 4 {
						await(time.Minute)
						if again && n == 2 {
							s.want("follow", d.follow(s.store), "")
						}
						d.sweep()
					}
					d.all("in the end")
					d.idle("in the end")
				})
				if t.Failed() {
					t.Fatalf("after a fault of kind %d at call %d, bell %v", kind, call, bell)
				}
			}
		}
	}
}

// TestMarks: how far somebody has seen a session moves forward only, is written
// only when it moves, and goes when the session does.
func TestMarks(t *testing.T) { onBoth(t, marks) }

func marks(s scene) {
	ctx := context.Background()
	id := s.turn("m").ID
	move := func(c parley.Caller, kind parley.MarkKind, upto, want parley.Seq) {
		s.Helper()
		m, err := s.store.MoveMark(ctx, c, id, kind, upto)
		if err != nil || m.Upto != want {
			s.Errorf("MoveMark(%s, %d) = %+v, %v, want %d", kind, upto, m, err, want)
		}
	}
	move(s.visitor, parley.MarkSeen, 0, 0)
	move(s.visitor, parley.MarkSeen, 1, 1)
	move(s.visitor, parley.MarkReceived, 99, 2)
	move(s.operator(), parley.MarkSeen, 2, 2)
	s.unchanged("what does not move a mark", func() {
		move(s.visitor, parley.MarkSeen, 1, 1)
		move(s.visitor, parley.MarkReceived, -5, 2)
		move(s.operator(), parley.MarkSeen, 2, 2)
	})
	await(time.Second)
	move(s.visitor, parley.MarkSeen, 2, 2)
	got, err := s.store.Marks(ctx, s.operator(), id)
	if err != nil || len(got) != 3 {
		s.Fatalf("Marks = %+v, %v", got, err)
	}
	for i, want := range []string{"received user 2", "seen human 2", "seen user 2"} {
		if said := fmt.Sprintf("%s %s %d", got[i].Kind, got[i].By.Kind, got[i].Upto); said != want || got[i].At == 0 || got[i].By.ID == "" {
			s.Errorf("mark %d is %+v, want %s", i, got[i], want)
		}
	}
	_, err = s.store.MoveMark(ctx, s.visitor, id, "read", 1)
	s.want("another kind", err, "invalid_field")
	stranger := parleytest.Visitor(s, s.store)
	_, err = s.store.MoveMark(ctx, stranger, id, parley.MarkSeen, 1)
	s.want("a stranger's mark", err, "not_found")
	_, err = s.store.Marks(ctx, stranger, id)
	s.want("a stranger's look", err, "not_found")
	if err := s.store.Erase(ctx, s.visitor, id); err != nil {
		s.Fatal(err)
	}
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.SK, "mark/") {
			s.Errorf("%v is left of an erased session", k)
		}
	}
}

// TestMarksRace: of many moves at once the furthest stands, and none comes late
// into an erased session.
func TestMarksRace(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		for n := range 4 {
			s.reply(s.send(say(parley.EntryID(fmt.Sprint("m", n)), id)).Claim, "reply")
		}
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				if _, err := s.over(s.table).MoveMark(ctx, s.visitor, id, parley.MarkSeen, parley.Seq(10-n)); err != nil {
					s.Error(err)
				}
			})
		}
		all.Wait()
		if got, err := s.store.Marks(ctx, s.visitor, id); err != nil || len(got) != 1 || got[0].Upto != 10 {
			s.Errorf("Marks = %+v, %v", got, err)
		}
		for _, stands := range []bool{true, false} {
			s.late(stands, "mark", func(store *parley.Store, id parley.SessionID) {
				_, err := store.MoveMark(ctx, s.visitor, id, parley.MarkSeen, 2)
				s.want("a late mark", err, "not_found")
			})
			s.late(stands, "lease", func(store *parley.Store, id parley.SessionID) {
				s.want("a late lease", store.Follow(ctx, s.follower(id).way, s.follower(id).do), "")
			})
		}
	})
}

// late erases a session while a mark is on its way to it: the first one, or one
// that replaces another.
func (s scene) late(stands bool, what string, do func(*parley.Store, parley.SessionID)) {
	ctx := context.Background()
	id := s.turn(parley.EntryID(fmt.Sprint(what, stands))).ID
	if stands {
		if _, err := s.store.MoveMark(ctx, s.visitor, id, parley.MarkSeen, 1); err != nil {
			s.Fatal(err)
		}
		d := s.follower(id)
		s.want("follow", d.follow(s.store), "")
		s.reply(s.send(say(parley.EntryID(fmt.Sprint(what, "more")), id)).Claim, "reply")
	}
	do(s.over(beforeWrite{s.table, sync.OnceFunc(func() {
		if err := s.store.Erase(ctx, s.visitor, id); err != nil {
			s.Error(err)
		}
	})}), id)
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.SK, "mark/") && strings.HasSuffix(k.PK, string(id)) {
			s.Errorf("%v came into an erased session", k)
		}
	}
}

// beforeWrite is a table that does something before each write.
type beforeWrite struct {
	table.Table
	do func()
}

func (b beforeWrite) Write(ctx context.Context, actions ...table.Action) error {
	b.do()
	return b.Table.Write(ctx, actions...)
}

// followEnding: who is given the entry of a session's end is given the session that has
// ended, also where that comes while the lease is taken.
func followEnding(s scene) {
	d := s.follower(s.turn("m").ID)
	store := s.over(beforeWrite{s.table, sync.OnceFunc(func() {
		s.want("resolve", s.store.Resolve(context.Background(), parleytest.Operator(), d.way.Session, parley.Author{Kind: parley.AuthorHuman, ID: "op"}), "")
	})})
	follow := func() error {
		return store.Follow(context.Background(), d.way, func(ctx context.Context, w parley.Stretch) (parley.Seq, error) {
			for _, e := range w.Entries {
				if e.Event == parley.EventResolved && !w.Session.Over() || e.Seq > w.Session.Seq {
					s.Errorf("with entry %d comes the session as it was at %d", e.Seq, w.Session.Seq)
				}
			}
			return d.do(ctx, w)
		})
	}
	s.want("follow", follow(), "")
	s.want("follow what came meanwhile", follow(), "")
	d.all("in the end")
}

// followClock: who took a lease before the clock was set back by an hour does not
// have it for that hour.
func followClock(s scene) {
	d := s.follower(s.turn("m").ID)
	ahead := parleytest.Store(s, parley.Config{Table: s.table, Bucket: s.bucket, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	taken := false
	err := ahead.Follow(context.Background(), d.way, func(_ context.Context, w parley.Stretch) (parley.Seq, error) {
		taken = true
		s.want("after the clock was set back", d.follow(s.store), "")
		d.all("after the clock was set back")
		return w.Entries[len(w.Entries)-1].Seq, nil
	})
	if !is(err, parley.ErrUnavailable) {
		s.Errorf("a worker who lost the lease: %v, want %v", err, parley.ErrUnavailable)
	}
	if !taken {
		s.Error("the worker had no lease")
	}
}

// TestHold: a lease for what no entry stands for yet keeps all others from the follower
// until it is given back, and says what for.
func TestHold(t *testing.T) {
	t.Run("held", func(t *testing.T) { onBoth(t, holdHeld) })
	t.Run("dead", func(t *testing.T) { onBolt(t, holdDead) })
	t.Run("not first", func(t *testing.T) { onBolt(t, holdNotFirst) })
	t.Run("units", func(t *testing.T) { onBolt(t, holdUnits) })
}

// pusher is the follower that holds.
func (s scene) pusher(id parley.SessionID) *disciple {
	d := s.follower(id)
	d.way.Follower = parley.FollowerPush
	return d
}

// hold reaches the mark and takes the lease.
func (d *disciple) hold(store *parley.Store, note string) (*parley.Hold, bool) {
	d.Helper()
	h, err := store.Reach(context.Background(), d.way)
	if err != nil {
		d.Fatal(err)
	}
	taken, err := h.Take(context.Background(), note)
	if err != nil {
		d.Fatal(err)
	}
	return h, taken
}

func holdHeld(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.pusher(s.turn("m").ID)
	h, taken := d.hold(s.store, "note")
	if !taken || len(h.Entries()) != 2 || h.Left() > 105*time.Second || h.Left() < time.Minute {
		s.Fatalf("taken %v with %d entries for %v", taken, len(h.Entries()), h.Left())
	}
	if _, again := d.hold(s.over(s.table), "other"); again {
		s.Error("two hold the lease")
	}
	for note, want := range map[string]bool{"note": true, "other": false} {
		if held, err := s.store.HeldFor(context.Background(), d.way, func(n string) bool { return n == note }); held != want || err != nil {
			s.Errorf("held for %q: %v, %v", note, held, err)
		}
	}
	s.want("follow", d.follow(s.over(s.table)), "")
	if len(d.got) > 0 {
		s.Error("somebody else was let in")
	}
	s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
	s.want("follow with the lease", h.Follow(context.Background(), func(ctx context.Context, w parley.Stretch) (parley.Seq, error) {
		if *w.Note != "note" && len(d.got) == 0 || w.Died || w.Tries != 0 {
			s.Errorf("note %q, died %v, %d tries", *w.Note, w.Died, w.Tries)
		}
		*w.Note = ""
		return d.do(ctx, w)
	}), "")
	d.all("with the lease")
	d.idle("with the lease")
	if held, err := s.store.HeldFor(context.Background(), d.way, func(string) bool { return true }); held || err != nil {
		s.Errorf("held in the end: %v, %v", held, err)
	}
}

// holdDead: who comes after one that died with a lease finds the note of what was
// begun; and of one that died in Follow that nobody knows.
func holdDead(s scene) {
	parleytest.Sweep(s, s.store)
	d := s.pusher(s.turn("m").ID)
	if _, taken := d.hold(s.store, "begun"); !taken {
		s.Fatal("not taken")
	}
	type told struct {
		note  string
		died  bool
		tries int
	}
	var got []told
	unattended := func(_ context.Context, w parley.Stretch) (parley.Seq, error) {
		got = append(got, told{*w.Note, w.Died, w.Tries})
		*w.Note += "+"
		return w.After, parley.ErrUnattended
	}
	wake := func(want int) {
		s.Helper()
		woken := 0
		_, err := s.store.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive, Wake: func(ctx context.Context, f parley.Following) error {
			woken++
			return s.store.Follow(ctx, f, unattended)
		}})
		if err != nil || woken != want {
			s.Errorf("%d woken, want %d: %v", woken, want, err)
		}
	}
	await(110 * time.Second)
	wake(0)
	await(time.Minute) // within three minutes
	wake(1)
	await(time.Hour)
	wake(0) // nobody is there: the sweep is not to come back
	s.want("follow", s.store.Follow(context.Background(), d.way, unattended), "")
	func() { // a worker that dies
		defer func() { _ = recover() }()
		_ = s.store.Follow(context.Background(), d.way, func(context.Context, parley.Stretch) (parley.Seq, error) { panic("dies") })
	}()
	await(3 * time.Minute)
	wake(1)
	s.want("follow", s.store.Follow(context.Background(), d.way, unattended), "")
	if want := []told{{"begun", false, 0}, {"begun+", false, 0}, {"begun++", true, 1}, {"begun+++", false, 0}}; !slices.Equal(got, want) {
		s.Errorf("told %+v, want %+v", got, want)
	}
	s.want("follow", d.follow(s.store), "")
	d.all("in the end")
}

// holdNotFirst: where something is to be done first the lease is not taken.
func holdNotFirst(s scene) {
	d := s.pusher(s.turn("m").ID)
	d.fails = func(parley.Entry, int) error { return errEndpoint }
	if err := d.follow(s.store); !errors.Is(err, errEndpoint) {
		s.Errorf("follow = %v", err)
	}
	if _, taken := d.hold(s.store, ""); taken {
		s.Error("taken during a pause")
	}
	d.fails = nil
	await(time.Hour)
	h, err := s.store.Reach(context.Background(), d.way)
	if err != nil {
		s.Fatal(err)
	}
	s.want("follow", d.follow(s.store), "")
	if taken, err := h.Take(context.Background(), ""); taken || err != nil {
		s.Errorf("taken over another mark: %v, %v", taken, err)
	}
	unknown := d.way
	unknown.Session = "nobody"
	if _, err := s.store.Reach(context.Background(), unknown); !is(err, parley.ErrNotFound) {
		s.Errorf("reach in a session that is not there: %v", err)
	}
}

// holdUnits pins what the doc comments of Hold say.
func holdUnits(s scene) {
	d := s.pusher(s.turn("m").ID)
	m := meter.New(meter.Config{Table: s.table})
	store := s.over(m)
	for _, want := range []int{5, 2} {
		m.Reset()
		h, taken := d.hold(store, "note")
		if got := m.Counts().WriteUnits(); got != want || !taken {
			s.Errorf("the lease takes %d write units, want %d", got, want)
		}
		m.Reset()
		s.want("follow", h.Follow(context.Background(), d.do), "")
		if got := m.Counts().WriteUnits(); got != 2 {
			s.Errorf("giving it back takes %d write units, want 2", got)
		}
		s.reply(s.send(say(parley.EntryID(fmt.Sprint("n", want)), d.way.Session)).Claim, "reply")
	}
}

// TestReachOfAReply: whoever reaches a mark knows which reply is still to be told, and
// whether somebody has the lease.
func TestReachOfAReply(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		sent := s.send(say("m1", ""))
		d := s.pusher(sent.Session.ID)
		reach := func() *parley.Hold {
			s.Helper()
			h, err := s.store.Reach(ctx, d.way)
			if err != nil {
				s.Fatal(err)
			}
			return h
		}
		h := reach()
		if !h.Writes("m1") || h.Writes("other") || !h.Free() || h.Note() != "" || len(h.Entries()) != 1 {
			s.Errorf("before the reply it writes: %v, another: %v, free: %v, note %q, %d entries", h.Writes("m1"), h.Writes("other"), h.Free(), h.Note(), len(h.Entries()))
		}
		if taken, err := h.Take(ctx, "told"); !taken || err != nil {
			s.Fatalf("taken: %v, %v", taken, err)
		}
		if h := reach(); h.Free() || h.Note() != "told" {
			s.Errorf("with a lease it is free: %v, note %q", h.Free(), h.Note())
		}
		if upto, note, free, err := s.store.Followed(ctx, d.way); err != nil || free || note != "told" || upto != 0 {
			s.Errorf("followed up to %d, note %q, free: %v, %v", upto, note, free, err)
		}
		s.reply(sent.Claim, "hi")
		if h := reach(); h.Writes("m1") {
			s.Error("a reply that is stored is still written")
		}
		all := func(_ context.Context, w parley.Stretch) (parley.Seq, error) {
			return w.Entries[len(w.Entries)-1].Seq, nil
		}
		s.want("follow", h.Follow(ctx, all), "")
		if h := reach(); len(h.Entries()) != 0 || !h.Free() {
			s.Errorf("in the end there are %d entries, free: %v", len(h.Entries()), h.Free())
		}
		if upto, _, free, err := s.store.Followed(ctx, d.way); err != nil || !free || upto != s.session(sent.Session.ID).Seq {
			s.Errorf("in the end followed up to %d, free: %v, %v", upto, free, err)
		}
	})
}

package run_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// TestInvariant4ReadersComeAndGo: nobody's leaving stops a run, and who returns
// at any byte gets exactly the rest: while the run goes on, when it is over, and
// when its log has expired.
func TestInvariant4ReadersComeAndGo(t *testing.T) {
	t.Run("every byte", func(t *testing.T) { onStage(t, everyByte) })
	t.Run("all leave", func(t *testing.T) { onStage(t, allLeave) })
	t.Run("holes", func(t *testing.T) { onStage(t, readersOfHoles) })
}

func everyByte(s stage) {
	want := answer(slowly)
	first := s.later(question(slowly, ""))
	time.Sleep(2500 * time.Millisecond)
	sessions, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{})
	if err != nil || len(sessions) != 1 {
		s.Fatalf("Sessions = %v, %v", sessions, err)
	}
	ref := parley.RunRef{Project: "demo", Session: sessions[0].ID, Run: slowly}
	// Readers that come while 2.5 s of 10 have been said, from what they have and from further on.
	var readers []<-chan told
	offsets := []int{0, 1, 5, len(want) / 2, len(want) - 1, len(want)}
	for _, from := range offsets {
		got := make(chan told, 1)
		go func() { got <- s.read(ref, from) }()
		readers = append(readers, got)
	}
	for i, got := range readers {
		s.rest(fmt.Sprintf("a reader from %d", offsets[i]), <-got, want[offsets[i]:], want)
	}
	s.wants("the first", <-first, want, parley.StatusDone)
	for _, when := range []string{"when it is over", "when the log has expired"} {
		for from := 0; from <= len(want); from++ {
			s.rest(fmt.Sprintf("%s, from %d", when, from), s.read(ref, from), want[from:], want)
		}
		if got := s.read(ref, len(want)+5); got.err != nil || got.text != "" || got.end == nil {
			s.Errorf("%s, from beyond its end: %q, %v, %v", when, got.text, got.end, got.err)
		}
		time.Sleep(25 * time.Hour)
	}
	if log, err := s.store.ReadLog(context.Background(), ref, 0, true); err != nil || len(log) != 1 {
		s.Errorf("the log has not expired: %d entries, %v", len(log), err)
	}
	s.calls(slowly)
}

// rest fails the test unless a reader got the rest of a reply.
func (s stage) rest(what string, got told, rest, whole string) {
	s.Helper()
	if got.err != nil || got.text != rest || got.end == nil || got.end.Status != parley.StatusDone || got.end.Entry == nil || got.end.Entry.Text != whole {
		s.Errorf("%s: %q, %+v, %v, want %q", what, got.text, got.end, got.err, rest)
	}
}

func allLeave(s stage) {
	leaving := errors.New("left")
	sent, claim, err := s.engine.Send(context.Background(), s.visitor, question(slowly, ""))
	if err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	if err := s.engine.Stream(context.Background(), sent.Ref, 0, claim, func(run.Event) error { return leaving }); !errors.Is(err, leaving) {
		s.Errorf("Stream = %v", err)
	}
	if took := time.Since(began); took < 10*time.Second {
		s.Errorf("a handler returned after %v, before its run ended", took)
	}
	s.wants("who returns", s.read(sent.Ref, 0), answer(slowly), parley.StatusDone)

	sent, claim, err = s.engine.Send(context.Background(), s.visitor, question(slowly+" 2", ""))
	if err != nil {
		s.Fatal(err)
	}
	gone, leave := context.WithCancel(context.Background())
	time.AfterFunc(3*time.Second, leave)
	if err := s.engine.Stream(gone, sent.Ref, 0, claim, func(run.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		s.Errorf("Stream = %v", err)
	}
	s.wants("who returns after a disconnect", s.read(sent.Ref, 0), answer(slowly+" 2"), parley.StatusDone)
	s.calls(slowly, slowly+" 2")
}

// readersOfHoles read pages that miss entries, from replicas that lag.
func readersOfHoles(s stage) {
	network := fault.NewNetwork(fault.NetworkConfig{Table: s.table, Behind: 3})
	_, writing := s.process(network.Process(fault.Config{}))
	sent, claim, err := writing.Send(context.Background(), s.visitor, question(slowly, ""))
	if err != nil {
		s.Fatal(err)
	}
	results := make(chan told)
	for n := range 4 {
		_, e := s.process(network.Process(fault.Config{Seed: uint64(n), Chance: map[fault.Kind]float64{
			fault.Hole: 0.4, fault.Stale: 0.4, fault.Unreadable: 0.1}}))
		go func() {
			var got told
			for {
				got.err = e.Stream(context.Background(), sent.Ref, len(got.text), nil, func(ev run.Event) error {
					got.text, got.end = got.text+ev.Text, ev.End
					return nil
				})
				if !errors.Is(got.err, parley.ErrUnavailable) {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			results <- got
		}()
	}
	if err := writing.Stream(context.Background(), sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
		s.Error(err)
	}
	for range 4 {
		s.wants("a reader of holes", <-results, answer(slowly), parley.StatusDone)
	}
}

// TestInvariant5NoRunIsLost: whoever dies, the next reader or the sweep sees to
// the run: it is generated anew where nothing was durable, and else ended with what was.
func TestInvariant5NoRunIsLost(t *testing.T) {
	t.Run("a reader, no text", func(t *testing.T) { onStage(t, deadBeforeText) })
	t.Run("a reader, some text", func(t *testing.T) { onStage(t, deadAfterText) })
	t.Run("the sweep", func(t *testing.T) { onStage(t, deadWithoutReaders) })
	t.Run("the next in the queue", func(t *testing.T) { onStage(t, deadBeforeOthers) })
	t.Run("only seemed dead", func(t *testing.T) { onStage(t, seemedDead) })
	t.Run("a clock set back", func(t *testing.T) { onStage(t, clockSetBack) })
	t.Run("a slow model", func(t *testing.T) { onStage(t, slowIsNotDead) })
}

func deadBeforeText(s stage) {
	ref := s.dies(question(slowly, ""), 0)
	began := time.Now()
	s.wants("a reader", s.read(ref, 0), answer(slowly), parley.StatusDone)
	// The lease, and a poll of the reader at either end.
	if took := time.Since(began) - 10*time.Second; took > parley.Lease+time.Second || took < parley.Lease-time.Second {
		s.Errorf("the run was dead for %v", took)
	}
	s.calls(slowly, slowly)
	s.quiet(ref.Session)
}

func deadAfterText(s stage) {
	ref := s.dies(question(slowly, ""), 2)
	began := time.Now()
	got := s.read(ref, 0)
	if got.err != nil || got.end.Status != parley.StatusIncomplete || got.text == "" || got.end.Entry.Text != got.text || !strings.HasPrefix(answer(slowly), got.text) {
		s.Errorf("a reader: %q, %+v, %v", got.text, got.end, got.err)
	}
	if took := time.Since(began); took > parley.Lease+time.Second {
		s.Errorf("the run was dead for %v", took)
	}
	s.calls(slowly)
	s.quiet(ref.Session)
	retry := parley.SendRequest{ID: "retry", Session: ref.Session, Retry: ref.Run, Claim: true}
	s.wants("a retry", s.ask(retry), answer(slowly), parley.StatusDone)
	s.calls(slowly, slowly)
}

func deadWithoutReaders(s stage) {
	if _, err := s.store.Sweep(context.Background(), parley.SweepHelp{Revive: s.engine.Revive}); err != nil {
		s.Fatal(err)
	}
	ended := map[parley.RunRef]parley.RunStatus{
		s.dies(question(plainly, ""), 0):    parley.StatusDone,
		s.dies(question(slowly, ""), 2):     parley.StatusIncomplete,
		s.neverAsked(question("asked", "")): parley.StatusDone,
	}
	s.sweepsFor(2 * time.Minute)
	time.Sleep(15 * time.Second) // a reply takes its time too
	for ref, want := range ended {
		out, err := s.store.Outcome(context.Background(), ref, 1)
		if err != nil || out.Status != want || want == parley.StatusDone && out.Text != answer(string(ref.Run)) {
			s.Errorf("of %s came %+v, %v, want %s", ref.Run, out, err, want)
		}
		s.quiet(ref.Session)
	}
}

// neverAsked sends and dies before anybody is asked to generate the reply.
func (s stage) neverAsked(r parley.SendRequest) parley.RunRef {
	s.Helper()
	r.Claim = false
	sent, _, err := s.engine.Send(context.Background(), s.visitor, r)
	if err != nil || !sent.Pending {
		s.Fatalf("Send = %+v, %v", sent, err)
	}
	return sent.Ref
}

func deadBeforeOthers(s stage) {
	if _, err := s.store.Sweep(context.Background(), parley.SweepHelp{Revive: s.engine.Revive}); err != nil {
		s.Fatal(err)
	}
	id := s.ask(question("opening", "")).sent.Session.ID
	s.dies(question(slowly, id), 2)
	// Who waits for its turn sees that the run before it is dead.
	began := time.Now()
	s.wants("who waited", s.ask(question(plainly, id)), answer(plainly), parley.StatusDone)
	if took := time.Since(began) - 2*time.Second; took > 2*parley.Lease {
		s.Errorf("it waited %v", took)
	}
	// Who waited has died too: its turn comes all the same.
	first := s.later(question(slowly+" 2", id))
	time.Sleep(time.Second)
	p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{})
	_, e := s.process(p)
	sent, _, err := e.Send(context.Background(), s.visitor, question("waiting", id))
	p.Crash()
	if err != nil || sent.Claim != nil {
		s.Fatalf("Send = %+v, %v", sent, err)
	}
	s.wants("the one before", <-first, answer(slowly+" 2"), parley.StatusDone)
	s.sweepsFor(3 * time.Minute)
	s.wants("whose process died", s.read(sent.Ref, 0), answer("waiting"), parley.StatusDone)
}

// stalled is a table whose writes stand still for a while, once, at one append to a log.
type stalled struct {
	table.Table
	at   *int
	long time.Duration
}

func (t stalled) Write(ctx context.Context, actions ...table.Action) error {
	if len(actions) == 1 && strings.Contains(actions[0].Key.PK, "/run/") {
		if *t.at--; *t.at == 0 {
			time.Sleep(t.long)
		}
	}
	return t.Table.Write(ctx, actions...)
}

// seemedDead: a runner stands still for longer than its lease. Somebody else
// ends or generates its run; what it says then reaches nobody.
func seemedDead(s stage) {
	for name, write := range map[string]int{"before its first text": 1, "after some": 4} {
		at := write
		_, e := s.process(stalled{s.table, &at, 3 * parley.Lease})
		q := question(slowly+" "+name, "")
		sent, claim, err := e.Send(context.Background(), s.visitor, q)
		if err != nil {
			s.Fatal(err)
		}
		rival := make(chan told, 1)
		go func() { rival <- s.read(sent.Ref, 0) }()
		var own told
		own.err = e.Stream(context.Background(), sent.Ref, 0, claim, func(ev run.Event) error {
			own.text, own.end = own.text+ev.Text, ev.End
			return nil
		})
		want, text := parley.StatusDone, answer(q.Content)
		got := <-rival
		if write > 1 {
			want, text = parley.StatusIncomplete, got.text
		}
		s.wants(name+": the rival", got, text, want)
		s.wants(name+": who seemed dead", own, text, want)
		log, err := s.store.ReadLog(context.Background(), sent.Ref, 0, true)
		if err != nil {
			s.Fatal(err)
		}
		epoch := ""
		for _, l := range log {
			if l.Kind == parley.LogClaim {
				epoch = l.By
			}
			if l.Kind == parley.LogText && l.By != epoch {
				s.Errorf("%s: %q is by somebody who was fenced", name, l.Text)
			}
		}
	}
}

// slowIsNotDead: a model may be silent for much longer than the lease.
func slowIsNotDead(s stage) {
	first := s.later(question(silently, ""))
	time.Sleep(100 * time.Millisecond)
	sessions, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{})
	if err != nil || len(sessions) != 1 {
		s.Fatalf("Sessions = %v, %v", sessions, err)
	}
	s.wants("a reader", s.read(parley.RunRef{Project: "demo", Session: sessions[0].ID, Run: silently}, 0), answer(silently), parley.StatusDone)
	s.wants("who asked", <-first, answer(silently), parley.StatusDone)
	s.calls(silently)
}

// clockSetBack: a run that died before the clock was set back by an hour is dead
// all the same, and one that lives is not given up.
func clockSetBack(s stage) {
	before := s
	before.clock = func() time.Time { return time.Now().Add(time.Hour) }
	ref := before.dies(question(slowly, ""), 2)
	began := time.Now()
	if got := s.read(ref, 0); got.err != nil || got.end.Status != parley.StatusIncomplete {
		s.Errorf("a reader: %q, %+v, %v", got.text, got.end, got.err)
	}
	if took := time.Since(began); took > parley.Lease+time.Second {
		s.Errorf("the run was dead for %v", took)
	}
	ref = before.dies(question(plainly+" first", ""), 0)
	dead, _, err := s.store.Look(context.Background(), ref.Project, ref.Session)
	if err != nil || dead != ref {
		s.Errorf("a look finds %+v, %v, want the run", dead, err)
	}
	set := time.Now().Add(5 * time.Second)
	before.clock = func() time.Time {
		if now := time.Now(); now.After(set) {
			return now
		}
		return time.Now().Add(time.Hour)
	}
	_, e := before.process(s.table)
	alive := make(chan told, 1)
	go func() { alive <- before.askVia(e, question(slowly+" alive", "")) }()
	s.wants("who lives", <-alive, answer(slowly+" alive"), parley.StatusDone)
}

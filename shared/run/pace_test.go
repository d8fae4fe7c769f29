package run_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
)

// notebook is a table some way off that notes which texts of a log are written.
type notebook struct {
	table.Table
	away time.Duration // of the table, one way
	// hiccup is the number of the text that takes a second; 0 is none.
	hiccup int

	mu      sync.Mutex
	flushes []written
}

// written is a text, or an end, that was written to a log.
type written struct {
	parley.LogEntry
	// durable is when it was in the table, known when its writer was told.
	durable, known time.Time
}

func (n *notebook) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(n.away)
	defer time.Sleep(n.away)
	return n.Table.Query(ctx, q)
}

func (n *notebook) Write(ctx context.Context, actions ...table.Action) error {
	n.mu.Lock()
	hiccup := n.hiccup > 0 && len(n.flushes) == n.hiccup
	n.mu.Unlock()
	if time.Sleep(n.away); hiccup {
		time.Sleep(time.Second)
	}
	err := n.Table.Write(ctx, actions...)
	durable := time.Now()
	time.Sleep(n.away)
	for _, a := range actions {
		var l parley.LogEntry
		if err == nil && strings.Contains(a.Key.PK, "/run/") && json.Unmarshal([]byte(a.Item.String("data")), &l) == nil &&
			(l.Kind == parley.LogText || l.Kind == parley.LogEnd) {
			n.mu.Lock()
			n.flushes = append(n.flushes, written{l, durable, time.Now()})
			n.mu.Unlock()
		}
	}
	return err
}

// shown is what a reader of a paced reply was shown, and when.
type shown struct {
	run.Event
	at time.Time
}

// pacing is a run of one reply that readers follow in pieces.
type pacing struct {
	testing.TB
	*notebook
	store  *parley.Store
	model  agent.Agent
	engine *run.Engine
	// other is an engine of another process, whose clock may differ.
	other  *run.Engine
	sent   parley.Sent
	claim  *run.Claim
	caller parley.Caller
}

// newPacing asks a model that says these steps.
func newPacing(t testing.TB, away time.Duration, steps []agenttest.Step) *pacing {
	p := &pacing{TB: t, notebook: &notebook{Table: parleytest.Table(t), away: away}, model: agenttest.New(agenttest.Always(steps...))}
	p.store = parleytest.Store(t, parley.Config{Table: p.notebook})
	parleytest.Put(t, p.store, parleytest.Settings())
	p.caller = parleytest.Visitor(t, p.store)
	p.engine, p.other = p.start(nil), p.start(nil)
	var err error
	if p.sent, p.claim, err = p.engine.Send(t.Context(), p.caller, parleytest.Say("m", "", "Hello?")); err != nil {
		t.Fatal(err)
	}
	return p
}

// start starts a process with a clock of its own; nil is the real one.
func (p *pacing) start(clock func() time.Time) *run.Engine {
	e, err := run.New(run.Config{Store: p.store, Now: clock, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return p.model, nil }})
	if err != nil {
		p.Fatal(err)
	}
	return e
}

// read follows the run from a byte on, as its runner with the claim, else by
// polling. It leaves after so many events; 0 is never.
func (p *pacing) read(from int, claim *run.Claim, leave int) []shown {
	e := p.engine
	if claim == nil {
		e = p.other
	}
	var all []shown
	err := e.Relay(p.Context(), p.sent.Ref, from, claim, run.Reader{Every: time.Hour, Beat: func() error { return nil },
		Event: func(e run.Event) error {
			all = append(all, shown{e, time.Now()})
			if len(all) == leave {
				return errLeft
			}
			return nil
		}})
	if err != nil && err != errLeft {
		p.Errorf("reading from %d: %v", from, err)
	}
	return all
}

// durableAt is how many bytes of the reply the log had at a time.
func (p *pacing) durableAt(at time.Time) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.flushes {
		if !w.durable.After(at) {
			n += len(w.Text)
		}
	}
	return n
}

// dueAt is how many bytes of the reply were in flushes after which another was due.
func (p *pacing) dueAt(at time.Time) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.flushes {
		if !p.due(w).After(at) {
			n += len(w.Text)
		}
	}
	return n
}

// due is when the next flush is due after one.
func (p *pacing) due(w written) time.Time {
	return w.known.Add(p.engine.Flush(w.known.Sub(p.flushes[0].known)))
}

// check fails the test unless a reader was shown exactly the rest of the reply,
// each piece whole and durable before, then the end, and no text after it.
func (p *pacing) check(what string, all []shown, from int, want string) {
	p.Helper()
	said := ""
	for i, s := range all {
		said += s.Text
		switch {
		case !utf8.ValidString(s.Text):
			p.Errorf("%s: piece %d is cut within a letter: %q", what, i, s.Text)
		case s.Upto != from+len(said):
			p.Errorf("%s: %d bytes are shown, the event says %d", what, from+len(said), s.Upto)
		case s.Upto > p.durableAt(s.at):
			p.Errorf("%s: %d bytes are shown, %d are durable", what, s.Upto, p.durableAt(s.at))
		case (s.End != nil) != (i == len(all)-1), s.End != nil && s.Text != "", s.End == nil && s.Text == "":
			p.Errorf("%s: event %d of %d is %+v", what, i, len(all), s.Event)
		}
	}
	if said != want[from:] {
		p.Errorf("%s: shown %q, want %q", what, said, want[from:])
	}
}

// inTime fails the test unless a reader that learns of each flush when its
// runner does was shown its first letter at once, the rest before the next flush
// is due, and the end at once.
func (p *pacing) inTime(all []shown) {
	p.Helper()
	upto, next := 0, 0
	for i, w := range p.flushes {
		upto += len(w.Text)
		for all[next].Upto < upto {
			next++
		}
		due := p.due(w)
		if w.Kind == parley.LogEnd {
			due = w.known
		}
		if late := all[next].at.Sub(due); late > 0 {
			p.Errorf("flush %d, a %s: shown %v too late", i, w.Kind, late)
		}
	}
	if late := all[0].at.Sub(p.flushes[0].known); late != 0 {
		p.Errorf("the first text is shown %v late", late)
	}
	if last, end := all[len(all)-1], p.flushes[len(p.flushes)-1]; !last.at.Equal(end.known) {
		p.Errorf("the end is shown %v late", last.at.Sub(end.known))
	}
}

// anyReply is a reply at any pace, its letters split anywhere.
func anyReply(rng *rand.Rand) []agenttest.Step {
	delays := []time.Duration{0, 0, time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 70 * time.Millisecond, 250 * time.Millisecond, 2500 * time.Millisecond}
	slowest := 1 + rng.IntN(len(delays))
	text := strings.Repeat("wörd 漢字 𝄞, ", 1+rng.IntN(40))
	var steps []agenttest.Step
	for len(text) > 0 {
		n := min(1+rng.IntN(12), len(text))
		steps = append(steps, agenttest.Step{Delay: delays[rng.IntN(slowest)], Delta: text[:n]})
		text = text[n:]
	}
	switch rng.IntN(6) {
	case 0:
		steps = append(steps, agenttest.Step{Err: agent.ErrCut})
	case 1:
		steps = append(steps, agenttest.Step{Delay: 100 * time.Second, Delta: "never"})
	}
	return steps
}

// TestPiecesOfAnyReply: a reader gets exactly the reply, in whole letters, nothing
// that is not durable and nothing after the end, whoever ends it; the runner's own
// reader without delay beyond the next flush; and a reader who leaves or comes in the
// middle, the rest.
func TestPiecesOfAnyReply(t *testing.T) {
	t.Parallel()
	last := firstSeed() + seeds(t, 100, "PARLEY_SEEDS")
	for seed := firstSeed(); seed < last && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { anyPieces(t, rand.New(rand.NewPCG(uint64(seed), 3))) })
		if t.Failed() {
			t.Logf("with PARLEY_SEED=%d", seed)
		}
	}
}

func anyPieces(t *testing.T, rng *rand.Rand) {
	p := newPacing(t, time.Duration(rng.IntN(20))*time.Millisecond, anyReply(rng))
	var all sync.WaitGroup
	var own, polling, left, back []shown
	all.Go(func() { own = p.read(0, p.claim, 0) })
	late, leave := time.Duration(rng.IntN(3000))*time.Millisecond, 1+rng.IntN(20)
	all.Go(func() {
		time.Sleep(late)
		polling = p.read(0, nil, 0)
	})
	all.Go(func() {
		if left = p.read(0, nil, leave); left[len(left)-1].End == nil {
			back = p.read(left[len(left)-1].Upto, nil, 0)
		}
	})
	stops, after := rng.IntN(3), time.Duration(rng.IntN(4000))*time.Millisecond
	all.Go(func() {
		time.Sleep(after)
		var err error
		switch stops {
		case 0:
			_, err = p.engine.Cancel(t.Context(), p.caller, p.sent.Session.ID, "")
		case 1:
			err = p.engine.Store.TakeOver(t.Context(), parleytest.Operator(), p.sent.Session.ID, parley.Author{Kind: parley.AuthorHuman, ID: "ola", Name: "Ola"})
		}
		if err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	end := own[len(own)-1].End
	if end == nil || end.Entry == nil {
		t.Fatalf("the last event is %+v", own[len(own)-1])
	}
	stored := end.Entry.Text
	p.check("the runner's reader", own, 0, stored)
	p.check("a polling reader", polling, 0, stored)
	p.check("a reader that left and came back", append(left, back...), 0, stored)
	if end.Status == parley.StatusDone || end.Status == parley.StatusIncomplete {
		p.inTime(own)
	}
}

// smooth fails the test unless 95 of 100 pauses between a reader's texts are at
// most 60 ms.
func (p *pacing) smooth(what string, all []shown) {
	p.Helper()
	long, texts := 0, all[:len(all)-1]
	for i := range texts[1:] {
		if texts[i+1].at.Sub(texts[i].at) > 60*time.Millisecond {
			long++
		}
	}
	if pauses := len(texts) - 1; pauses < 20 || 20*long > pauses {
		p.Errorf("%s: %d of %d pauses are longer than 60 ms", what, long, pauses)
	}
}

// TestPiecesKeepTheModelsPace: a reply of 20 tokens a second is seen like that, and
// after a moment in which the table was slow, again.
func TestPiecesKeepTheModelsPace(t *testing.T) {
	const tokens = 120
	steps := agenttest.Evenly(strings.Repeat("word by w", tokens), tokens, tokens*50*time.Millisecond)
	for _, away := range []time.Duration{0, 3 * time.Millisecond, 5 * time.Millisecond} {
		for _, hiccup := range []int{0, 5} {
			t.Run(fmt.Sprintf("%v from the table, hiccup %d", away, hiccup), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPacing(t, away, steps)
					p.hiccup = hiccup
					polled := make(chan []shown, 1)
					go func() { polled <- p.read(0, nil, 0) }()
					own, other := p.read(0, p.claim, 0), <-polled
					if hiccup > 0 { // it is over by the middle of the reply
						own, other = own[len(own)/2:], other[len(other)/2:]
					}
					p.smooth("the runner's reader", own)
					p.smooth("a polling reader", other)
				})
			})
		}
	}
}

// TestPauseIsNoDelay: what a model says after a pause is seen at once, however long
// what it said before was delayed, and so is each word of a slow model.
func TestPauseIsNoDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fluent := agenttest.Evenly(strings.Repeat("word by w", 40), 40, 2*time.Second)
		slow := agenttest.Evenly("and now slowly", 3, 3*time.Second)
		p := newPacing(t, 0, append(fluent, slow...))
		spoken := time.Now()
		polled := make(chan []shown, 1)
		go func() { polled <- p.read(0, nil, 0) }()
		for poll, all := range map[time.Duration][]shown{0: p.read(0, p.claim, 0), p.engine.PollMax: <-polled} {
			p.check("a reader", all, 0, agenttest.Text(append(fluent, slow...)))
			first, last := all[0], all[len(all)-4:]
			if late := first.at.Sub(spoken) - 50*time.Millisecond; first.Text != "word by w" || late < 0 || late > poll {
				t.Errorf("the first text is %q, %v late", first.Text, late)
			}
			for i, want := range []string{"and ", "now s", "lowly"} {
				if late := last[i].at.Sub(spoken) - time.Duration(3+i)*time.Second; last[i].Text != want || late < 0 || late > poll {
					t.Errorf("%v late comes %q, want %q", late, last[i].Text, want)
				}
			}
		}
	})
}

// TestOldTextComesAtOnce: what a reader finds is not held back, except for the
// newest flush as long as another can be expected, whatever the clocks say.
func TestOldTextComesAtOnce(t *testing.T) {
	for name, fast := range map[string]time.Duration{"clocks agree": 0, "the runner's is fast": 900 * time.Millisecond, "slow": -900 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				steps := append(agenttest.Evenly(strings.Repeat("word by w", 40), 40, 2*time.Second), agenttest.Step{Delay: 4 * time.Second, Delta: "."})
				p := newPacing(t, 0, steps)
				p.engine = p.start(func() time.Time { return time.Now().Add(fast) })
				said := agenttest.Text(steps)
				var readers sync.WaitGroup
				// The model begins to be silent after 2 s.
				for _, late := range []time.Duration{time.Second, 1900 * time.Millisecond, 4 * time.Second} {
					readers.Go(func() {
						came := time.Now().Add(late)
						time.Sleep(late)
						all := p.read(0, nil, 0)
						p.check("a reader", all, 0, said)
						last := all[len(all)-3] // before the pause
						if !all[0].at.Equal(came) || last.Upto != len(said)-1 {
							t.Errorf("the first text comes %v after the reader, the last before the pause is %q", all[0].at.Sub(came), last.Text)
						}
						// A flush, until it is found, and until the next would be.
						if shown := last.at.Sub(came.Add(-late)); late < 4*time.Second && shown > 2*time.Second+3*500*time.Millisecond {
							t.Errorf("the last text before the pause is shown after %v", shown)
						} else if late == 4*time.Second && !last.at.Equal(came) {
							t.Errorf("old text is shown %v late", last.at.Sub(came))
						}
					})
				}
				p.check("the runner's", p.read(0, p.claim, 0), 0, said)
				readers.Wait()
			})
		})
	}
}

// TestQuickModel: however many tokens a second a model says, a reader gets no more
// than 40 events in one; and while these come, no other signs of life.
func TestQuickModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacing(t, time.Millisecond, agenttest.Evenly(strings.Repeat("word by w", 1000), 1000, 4*time.Second))
		events, beats, longest, last := 0, 0, time.Duration(0), time.Now()
		err := p.engine.Relay(t.Context(), p.sent.Ref, 0, p.claim, run.Reader{Every: 450 * time.Millisecond,
			Beat: func() error {
				beats++
				return nil
			},
			Event: func(e run.Event) error {
				if events++; events > 2 {
					longest = max(longest, time.Since(last))
				}
				last = time.Now()
				return nil
			}})
		if err != nil || events > 4*40 || beats > 0 || longest > 300*time.Millisecond {
			t.Errorf("%d events, %d beats, %v without any; %v", events, beats, longest, err)
		}
	})
}

// TestSlowReader: a reader who takes long for an event is then given at once all
// that was due meanwhile.
func TestSlowReader(t *testing.T) {
	for long := 300 * time.Millisecond; long < 2*time.Second; long += 17 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			p := newPacing(t, time.Millisecond, agenttest.Evenly(strings.Repeat("word by w", 80), 80, 80*53*time.Millisecond))
			events, seen, due := 0, 0, 0
			var back time.Time
			err := p.engine.Relay(t.Context(), p.sent.Ref, 0, p.claim, run.Reader{Every: time.Hour, Beat: func() error { return nil },
				Event: func(e run.Event) error {
					if !back.IsZero() && time.Now().After(back) {
						if seen < due {
							t.Errorf("a reader away for %v has %d bytes, and %d were due", long, seen, due)
						}
						due = 0
					}
					seen = e.Upto
					if events++; events == 20 {
						time.Sleep(long)
						back, due = time.Now(), p.dueAt(time.Now())
					}
					return nil
				}})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCutStream: whatever a reader's stream is cut by, the reader has then got what
// it would have without pieces.
func TestCutStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacing(t, time.Millisecond, agenttest.Evenly(strings.Repeat("word by w", 80), 80, 4*time.Second))
		var readers sync.WaitGroup
		for after := time.Second; after < 3*time.Second; after += 70 * time.Millisecond {
			readers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				defer cancel()
				whole, pieces := 0, 0
				var other sync.WaitGroup
				other.Go(func() {
					_ = p.other.Stream(ctx, p.sent.Ref, 0, nil, func(e run.Event) error {
						whole = e.Upto
						return nil
					})
				})
				err := p.other.Relay(ctx, p.sent.Ref, 0, nil, run.Reader{Every: time.Hour, Beat: func() error { return nil },
					Event: func(e run.Event) error {
						pieces = e.Upto
						return nil
					}})
				other.Wait()
				if err != context.DeadlineExceeded || pieces != whole || whole == 0 {
					t.Errorf("cut after %v: %d bytes, in pieces %d, %v", after, whole, pieces, err)
				}
			})
		}
		p.read(0, p.claim, 0)
		readers.Wait()
	})
}

// TestRhythm: the pieces of a flush come in the model's rhythm, so much quicker or slower
// that the next flush follows in it, and slower by no more than one can hardly see.
func TestRhythm(t *testing.T) {
	ms := time.Millisecond
	for name, test := range map[string]struct {
		steps []agenttest.Step
		want  string
	}{
		"a hasty one": {[]agenttest.Step{{Delta: "A"}, {Delay: 50 * ms, Delta: "b"}, {Delay: 40 * ms, Delta: "c"}, {Delay: 109 * ms, Delta: "d"}, {Delay: time.Second}},
			"0s A, 200ms b, 239ms c, 346ms d, 1.199s "},
		"two pieces":  {[]agenttest.Step{{Delta: "A"}, {Delay: 50 * ms, Delta: "b"}, {Delay: 130 * ms, Delta: "c"}, {Delay: time.Second}}, "0s A, 200ms b, 310ms c, 1.18s "},
		"an even one": {[]agenttest.Step{{Delta: "A"}, {Delay: 90 * ms, Delta: "b"}, {Delay: 90 * ms, Delta: "c"}, {Delay: time.Second}}, "0s A, 200ms b, 303ms c, 1.18s "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacing(t, 0, test.steps)
				if got := p.said(time.Now(), p.read(0, p.claim, 0)); got != test.want {
					t.Errorf("said %q, want %q", got, test.want)
				}
			})
		})
	}
}

// said is what a reader was shown, and when, in whole milliseconds.
func (p *pacing) said(since time.Time, all []shown) string {
	var said []string
	for _, s := range all {
		said = append(said, fmt.Sprint((s.at.Sub(since)+time.Microsecond).Truncate(time.Millisecond), " ", s.Text))
	}
	return strings.Join(said, ", ")
}

// TestLetters: of a single letter nothing is kept back, and letters that come together
// are one piece.
func TestLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ms := time.Millisecond
		p := newPacing(t, 0, []agenttest.Step{{Delta: "A"}, {Delay: 60 * ms, Delta: "b"}, {Delay: 10 * ms, Delta: "c"}, {Delay: 80 * ms, Delta: "d"},
			{Delay: time.Second, Delta: "e"}, {Delay: time.Second}})
		if got, want := p.said(time.Now(), p.read(0, p.claim, 0)), "0s A, 200ms bc, 303ms d, 1.15s e, 2.15s "; got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	})
}

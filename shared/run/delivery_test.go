package run_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// blind is a table of which reads that are not consistent are of its first moments:
// a log has its first entry, and no other.
type blind struct{ table.Table }

func (b blind) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if q.Consistent {
		return b.Table.Query(ctx, q)
	}
	return table.Page{}, nil
}

// situations are those of a run that a reader follows: what was done before the reader
// came, and with which table it reads.
var situations = map[string]func(s stage) (ref parley.RunRef, reads table.Table){
	"while it is written": func(s stage) (parley.RunRef, table.Table) { return s.begun(plainly), s.table },
	"which replicas do not know": func(s stage) (parley.RunRef, table.Table) {
		return s.begun(plainly), blind{s.table}
	},
	"when it is over": func(s stage) (parley.RunRef, table.Table) { return s.ask(question(plainly, "")).sent.Ref, s.table },
	"when its log has expired": func(s stage) (parley.RunRef, table.Table) {
		ref := s.ask(question(plainly, "")).sent.Ref
		time.Sleep(25 * time.Hour)
		return ref, s.table
	},
	"when it has died": func(s stage) (parley.RunRef, table.Table) { return s.dies(question(plainly, ""), 2), s.table },
	"when it has died before a word": func(s stage) (parley.RunRef, table.Table) {
		return s.dies(question(plainly, ""), 0), s.table
	},
	"when nobody was asked": func(s stage) (parley.RunRef, table.Table) { return s.neverAsked(question(plainly, "")), s.table },
	"when one ahead has died": func(s stage) (parley.RunRef, table.Table) {
		first := s.dies(question(slowly, ""), 2)
		q := question(plainly, first.Session)
		q.Claim = false
		return parleytest.Send(s, s.store, s.visitor, q).Ref, s.table
	},
	"which a reader is to begin": func(s stage) (parley.RunRef, table.Table) {
		q := question(plainly, "")
		q.Claim, q.Leave = false, time.Second
		return parleytest.Send(s, s.store, s.visitor, q).Ref, s.table
	},
}

// begun is a run that another process is in the middle of, that answers this message.
func (s stage) begun(text string) parley.RunRef {
	s.Helper()
	_, e := s.process(s.table)
	sent, claim, err := e.Send(context.Background(), s.visitor, question(text, ""))
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		if err := e.Stream(context.Background(), sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
			s.Error(err)
		}
	}()
	time.Sleep(time.Second)
	return sent.Ref
}

// TestReadersAreToldOnce: in every situation a reader gets the reply, then its end, and
// nothing after it.
func TestReadersAreToldOnce(t *testing.T) {
	for name, begin := range situations {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				ref, reads := begin(s)
				_, e := s.process(reads)
				text, ends := "", []*run.End(nil)
				if err := e.Stream(s.Context(), ref, 0, nil, func(ev run.Event) error {
					if text += ev.Text; ev.End != nil || len(ends) > 0 {
						ends = append(ends, ev.End)
					}
					if ev.Upto != len(text) {
						s.Errorf("%d bytes are read, the event says %d", len(text), ev.Upto)
					}
					return nil
				}); err != nil {
					s.Error(err)
				}
				if len(ends) != 1 || ends[0] == nil || ends[0].Entry == nil || ends[0].Entry.Text != text || text == "" || ends[0].Status != ends[0].Entry.Status {
					s.Fatalf("told %q and then %+v", text, ends)
				}
				if session := ends[0].Session; session == nil || session.ID != ref.Session || session.Run != nil {
					s.Errorf("the end has the session %+v", session)
				}
				s.quiet(ref.Session)
				time.Sleep(time.Minute) // others may be about to write it
			})
		})
	}
}

// TestReadersMayLeave: the error of a reader who has left is what its stream ends with,
// be it at the text or at the end.
func TestReadersMayLeave(t *testing.T) {
	for name, begin := range situations {
		for _, atEnd := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, at its end %v", name, atEnd), func(t *testing.T) {
				onStageOfBolt(t, func(s stage) {
					ref, reads := begin(s)
					_, e := s.process(reads)
					left := false
					err := e.Stream(s.Context(), ref, 0, nil, func(ev run.Event) error {
						if left {
							s.Errorf("a reader who has left is told %+v", ev)
						}
						if left = (ev.End != nil) == atEnd; left {
							return errGone
						}
						return nil
					})
					if err != errGone || !left {
						s.Errorf("Stream = %v, left %v, want %v", err, left, errGone)
					}
					time.Sleep(time.Minute) // others write it to its end
				})
			})
		}
	}
}

// TestUncertainReads: whichever read of the table fails, a reader is told everything, or
// that the table is unavailable; what it then has, and reads on from there, is all of it.
func TestUncertainReads(t *testing.T) {
	for name, begin := range situations {
		t.Run(name, func(t *testing.T) {
			for call, more := 1, true; more && !t.Failed(); call++ {
				onStageOfBolt(t, func(s stage) {
					ref, reads := begin(s)
					p := fault.NewNetwork(fault.NetworkConfig{Table: reads}).Process(fault.Config{Plan: map[int]fault.Kind{call: fault.Unreadable}})
					_, e := s.process(p)
					var got told
					deliver := func(ev run.Event) error {
						got.text, got.end = got.text+ev.Text, ev.End
						return nil
					}
					if got.err = e.Stream(s.Context(), ref, 0, nil, deliver); got.err != nil {
						if !errors.Is(got.err, parley.ErrUnavailable) || got.end != nil {
							s.Errorf("Stream = %v, %+v", got.err, got.end)
						}
						got.err = e.Stream(s.Context(), ref, len(got.text), nil, deliver)
					}
					if got.err != nil || got.end == nil || got.end.Entry == nil || got.end.Entry.Text != got.text {
						s.Errorf("told %q, %+v, %v", got.text, got.end, got.err)
					}
					time.Sleep(time.Minute) // others write it to its end
					if more = p.Calls() >= call; s.Failed() {
						s.Logf("with call %d unreadable", call)
					}
				})
			}
		})
	}
}

// oddly is a table of which one read fails for a reason that nobody expects.
type oddly struct {
	table.Table
	at  *int
	err error
}

func (o oddly) fails() bool { *o.at--; return *o.at == 0 }

func (o oddly) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	if o.fails() {
		return nil, o.err
	}
	return o.Table.Get(ctx, consistent, keys...)
}

func (o oddly) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if o.fails() {
		return table.Page{}, o.err
	}
	return o.Table.Query(ctx, q)
}

// TestUnexpectedReads: whichever read fails for a reason that nobody expects, a reader is
// told so, and no end.
func TestUnexpectedReads(t *testing.T) {
	for _, name := range []string{"while it is written", "which replicas do not know", "when it is over", "when its log has expired", "when it has died"} {
		t.Run(name, func(t *testing.T) {
			for call, more := 1, true; more && !t.Failed(); call++ {
				onStageOfBolt(t, func(s stage) {
					ref, reads := situations[name](s)
					at, odd := call, errors.New("odd")
					_, e := s.process(oddly{reads, &at, odd})
					err := e.Stream(s.Context(), ref, 0, nil, func(ev run.Event) error {
						if ev.End != nil && at <= 0 {
							s.Errorf("read %d fails, and the reader is told %+v", call, ev.End)
						}
						return nil
					})
					if more = at <= 0; more && !errors.Is(err, odd) {
						s.Errorf("read %d fails, Stream = %v", call, err)
					}
					time.Sleep(time.Minute) // others write it to its end
				})
			}
		})
	}
}

// dark is a table that cannot be read before a time.
type dark struct {
	table.Table
	until time.Time
}

func (d dark) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if time.Now().Before(d.until) {
		return table.Page{}, table.ErrUnavailable
	}
	return d.Table.Query(ctx, q)
}

// TestReaderWaitsForTheTable: a reader who comes while the table is unavailable is told
// all when it is back, unless it is gone by then.
func TestReaderWaitsForTheTable(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		ref := s.ask(question(plainly, "")).sent.Ref
		_, e := s.process(dark{s.table, time.Now().Add(3 * time.Second)})
		ctx, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		if err := e.Stream(ctx, ref, 0, nil, func(run.Event) error { return nil }); err != context.DeadlineExceeded {
			s.Errorf("a reader for a second: Stream = %v", err)
		}
		began, text := time.Now(), ""
		err := e.Stream(s.Context(), ref, 0, nil, func(ev run.Event) error {
			text += ev.Text
			return nil
		})
		if took := time.Since(began); err != nil || text != answer(plainly) || took < 2*time.Second || took > 3*time.Second {
			s.Errorf("told %q after %v, %v", text, took, err)
		}
	})
}

// TestWaitOfWhoLeaves: the time that a reader may wait is over without an error; that it
// has left is one.
func TestWaitOfWhoLeaves(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		ref := s.begun(plainly)
		ctx, cancel := context.WithCancel(s.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		if text, end, err := s.engine.Wait(ctx, ref, time.Second, run.Stay{}); err != context.Canceled || end != nil || text == "" {
			s.Errorf("Wait of who leaves = %q, %+v, %v", text, end, err)
		}
		if text, end, err := s.engine.Wait(s.Context(), ref, 200*time.Millisecond, run.Stay{}); err != nil || end != nil || text == "" {
			s.Errorf("Wait for a moment = %q, %+v, %v", text, end, err)
		}
		if text, end, err := s.engine.Wait(s.Context(), ref, time.Minute, run.Stay{}); err != nil || end == nil || text != answer(plainly) {
			s.Errorf("Wait = %q, %+v, %v", text, end, err)
		}
		time.Sleep(time.Minute) // its runner has to settle what it spent
	})
}

// TestTextWithItsEnd: of a text that was stored together with the run's end a reader is
// told so, wherever it reads, and of no other.
func TestTextWithItsEnd(t *testing.T) {
	steps := []agenttest.Step{{Delta: "One"}, {Delay: time.Second, Delta: ", two"}, {Delay: 50 * time.Millisecond, Delta: ", three."}}
	onStageOfBolt(t, func(s stage) {
		s.script = agenttest.New(agenttest.Always(steps...))
		_, e := s.process(s.table)
		sent, claim, err := e.Send(s.Context(), s.visitor, question("m", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*run.Claim{claim, nil} {
			var with []parley.RunStatus
			if err := e.Stream(s.Context(), sent.Ref, 0, c, func(ev run.Event) error {
				if ev.Text != "" {
					with = append(with, ev.With)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			if len(with) != 3 || with[0] != "" || with[1] != "" || with[2] != parley.StatusDone {
				t.Errorf("the texts come with %q, of a runner's reader %v", with, c != nil)
			}
		}
		time.Sleep(25 * time.Hour) // the log expires
		if err := e.Stream(s.Context(), sent.Ref, 0, nil, func(ev run.Event) error {
			if ev.Text != "" && (ev.Text != "One, two, three." || ev.With != parley.StatusDone) {
				t.Errorf("what is stored comes as %+v", ev)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

package parley_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// sends are all the ways in which a message can be taken, each with what has to
// happen before.
var sends = []struct {
	name string
	// prepare returns the request, given a session with one turn.
	prepare func(s scene, session parley.SessionID) parley.SendRequest
	// code is of the error with which it is taken all the same.
	code string
}{
	{"first", func(s scene, _ parley.SessionID) parley.SendRequest { return say("m", "") }, ""},
	{"first, buffered", func(s scene, _ parley.SessionID) parley.SendRequest {
		r := say("m", "")
		r.Claim = false
		return r
	}, ""},
	{"later", func(s scene, session parley.SessionID) parley.SendRequest { return say("m", session) }, ""},
	{"with page and metadata", func(s scene, session parley.SessionID) parley.SendRequest {
		r := say("m", session)
		r.Page, r.Metadata = parley.Page{URL: "https://example.com/", Title: "Shop"}, map[string]string{"plan": "pro"}
		return r
	}, ""},
	{"after what the page said", func(s scene, _ parley.SessionID) parley.SendRequest {
		r := say("m", "")
		r.Greeting = []parley.Said{{ID: "hello", Text: "Hello!"}, {ID: "how", Text: "How can I help?"}}
		return r
	}, ""},
	{"queued", func(s scene, session parley.SessionID) parley.SendRequest {
		s.send(say("running", session))
		return say("m", session)
	}, ""},
	{"refused", func(s scene, session parley.SessionID) parley.SendRequest {
		s.send(say("running", session))
		return ifBusy("m", session, parley.BusyRefuse)
	}, "busy"},
	{"superseding", func(s scene, session parley.SessionID) parley.SendRequest {
		s.send(say("running", session))
		s.send(say("waiting", session))
		return ifBusy("m", session, parley.BusySupersede)
	}, ""},
	{"to a human", func(s scene, session parley.SessionID) parley.SendRequest {
		if err := s.store.TakeOver(context.Background(), s.operator(), session, human("Ola")); err != nil {
			s.Fatal(err)
		}
		return say("m", session)
	}, ""},
	{"reopening", func(s scene, session parley.SessionID) parley.SendRequest {
		if err := s.store.Resolve(context.Background(), s.visitor, session, human("Ola")); err != nil {
			s.Fatal(err)
		}
		return say("m", session)
	}, ""},
	{"retry", func(s scene, session parley.SessionID) parley.SendRequest {
		s.fail(s.send(say("failing", session)).Claim)
		return parley.SendRequest{ID: "m", Session: session, Retry: "failing", Claim: true}
	}, ""},
	{"with an attachment", func(s scene, session parley.SessionID) parley.SendRequest {
		r := say("m", session)
		r.Attachments = []parley.FileID{s.upload("a.txt")}
		return r
	}, ""},
}

// TestInvariant1DurableBeforeAnswered: a message that was answered with success
// is stored; the same request again changes nothing and has the same outcome;
// another request under its id is refused.
func TestInvariant1DurableBeforeAnswered(t *testing.T) {
	for _, send := range sends {
		t.Run(send.name, func(t *testing.T) {
			onBoth(t, func(s scene) {
				session := s.turn("opening").ID
				r := send.prepare(s, session)
				sent, err := s.store.Send(context.Background(), s.visitor, r)
				s.want("send", err, send.code)
				if sent.Session == nil || sent.Replayed {
					s.Fatalf("Send = %+v, %v", sent, err)
				}
				stored, err := s.store.EntryAt(context.Background(), s.visitor.Project, sent.Session.ID, sent.Message.Seq)
				if err != nil || !reflect.DeepEqual(stored, sent.Message) {
					s.Fatalf("stored is %+v, %v, answered was %+v", stored, err, sent.Message)
				}
				s.repeats(r, sent, send.code)
				s.refusesOthers(r, sent)
			})
		})
	}
}

// repeats sends the same again, at once and much later, from another process.
func (s scene) repeats(r parley.SendRequest, sent parley.Sent, code string) {
	s.Helper()
	for _, later := range []time.Duration{0, 25 * time.Hour} {
		await(later)
		s.unchanged("the same request again", func() {
			again, err := s.over(s.table).Send(context.Background(), s.visitor, r)
			s.want("send again", err, code)
			if again.Session == nil || again.Session.ID != sent.Session.ID || again.Ref != sent.Ref ||
				!reflect.DeepEqual(again.Message, sent.Message) || !again.Replayed || again.Claim != nil || again.Pending {
				s.Errorf("Send again = %+v, want the outcome of %+v", again, sent)
			}
		})
	}
}

// refusesOthers sends other things under the same id.
func (s scene) refusesOthers(r parley.SendRequest, sent parley.Sent) {
	s.Helper()
	ctx := context.Background()
	stranger := parleytest.Visitor(s, s.store)
	theirs := parleytest.Turn(s, s.store, stranger, r.ID+"theirs", "").ID
	elsewhere := s.turn(r.ID + "elsewhere").ID
	file := s.upload("other.txt")
	other := func(change func(*parley.SendRequest)) parley.SendRequest {
		o := r
		change(&o)
		return o
	}
	before := s.table.Dump(s)
	for _, test := range []struct {
		name   string
		caller parley.Caller
		parley.SendRequest
	}{
		{"other content", s.visitor, other(func(o *parley.SendRequest) { o.Content, o.Retry = "something else", "" })},
		{"another attachment", s.visitor, other(func(o *parley.SendRequest) { o.Retry, o.Attachments = "", []parley.FileID{file} })},
		{"another session", s.visitor, other(func(o *parley.SendRequest) { o.Session = elsewhere })},
		{"a retry of something else", s.visitor, parley.SendRequest{ID: r.ID, Session: elsewhere, Retry: parley.RunID(r.ID + "elsewhere")}},
		{"another visitor, another session", stranger, other(func(o *parley.SendRequest) { o.Session = theirs })},
		{"another visitor, same request", stranger, r},
		{"another visitor, a new session", stranger, parleytest.Say(r.ID, "", "question m")},
		{"superseding", s.visitor, other(func(o *parley.SendRequest) { o.Content, o.Retry, o.IfBusy = "something else", "", parley.BusySupersede })},
	} {
		_, err := s.store.Send(ctx, test.caller, test.SendRequest)
		s.want(test.name, err, "message_id_conflict")
	}
	if changed := parleytest.Differences(before, s.table.Dump(s)); len(changed) > 0 {
		s.Errorf("what was refused changed %q", changed)
	}
}

// TestSendSurvivesEveryFault lets every call to the table of a send go wrong in
// every way. When the client has tried again, all is as if nothing had gone wrong.
func TestSendSurvivesEveryFault(t *testing.T) {
	for _, send := range sends {
		t.Run(send.name, func(t *testing.T) {
			var want string
			var spent int64
			onBolt(t, func(s scene) {
				r := send.prepare(s, s.turn("opening").ID)
				sent, _ := s.store.Send(context.Background(), s.visitor, r)
				want, spent = s.outcome(sent.Session.ID)
			})
			for _, kind := range []fault.Kind{fault.Throttle, fault.Conflict, fault.Lost, fault.Unanswered, fault.Late,
				fault.Unreadable, fault.CrashBefore, fault.CrashAfter} {
				for call := 1; faultAt(t, call, kind, send.prepare, want, spent); call++ {
				}
			}
		})
	}
}

// faultAt reports whether the send made that many calls.
func faultAt(t *testing.T, call int, kind fault.Kind, prepare func(scene, parley.SessionID) parley.SendRequest, want string, wantSpent int64) (made bool) {
	onBolt(t, func(s scene) {
		r := prepare(s, s.turn("opening").ID)
		network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
		p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}, Delay: 50 * time.Millisecond})
		sent, err := s.over(p).Send(context.Background(), s.visitor, r)
		if err == nil && (sent.Replayed || (sent.Claim != nil) != (sent.Ref.Run != "" && r.Claim && sent.Session.Run.ID == sent.Ref.Run)) {
			s.Errorf("fault %d at call %d: whose send was done got %+v", kind, call, sent)
		}
		if is(err, parley.ErrUnavailable) || is(err, fault.ErrCrashed) {
			sent, err = s.store.Send(context.Background(), s.visitor, r)
		}
		network.Settle()
		if err != nil && parley.Code(err) != "busy" {
			s.Fatalf("fault %d at call %d: Send = %v", kind, call, err)
		}
		got, spent := s.outcome(sent.Session.ID)
		// What is given back for a run that was superseded may be lost.
		lost := r.IfBusy == parley.BusySupersede && kind > fault.Conflict && spent == wantSpent+reserved
		if got != want || spent != wantSpent && !lost {
			s.Errorf("fault %d at call %d leaves\n%s, spent %d, want\n%s, %d", kind, call, got, spent, want, wantSpent)
		}
		made = p.Calls() >= call
	})
	return made && !t.Failed()
}

// outcome is what a send changes: the session, and what the visitor has spent.
func (s scene) outcome(id parley.SessionID) (state string, spent int64) {
	s.Helper()
	session := s.session(id)
	var runs []parley.RunID
	if session.Run != nil {
		runs = append(runs, session.Run.ID)
	}
	for _, q := range session.Queue {
		runs = append(runs, q.ID)
	}
	for k, item := range s.table.Dump(s) {
		if k.PK == "demo/visitor/"+string(s.visitor.Visitor) {
			spent = item.Int("spent")
		}
	}
	return fmt.Sprintf("%q, runs %q", s.brief(id), runs), spent
}

// TestAppendOnce: the same entry again was there already; any other one of the
// same number is refused with what stands there, also by the same hand.
func TestAppendOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		claim := s.send(say("m", "")).Claim
		entry := parley.LogEntry{N: 1, By: claim.Epoch, Kind: parley.LogText, At: time.Now().UnixMilli(), Text: "one"}
		for range 2 {
			if err := s.store.Append(ctx, claim.Ref, entry); err != nil {
				s.Errorf("Append = %v", err)
			}
		}
		longer, other, earlier := entry, entry, entry
		longer.Text += " two"
		other.By = "somebody else"
		earlier.At--
		for name, e := range map[string]parley.LogEntry{"a longer one": longer, "another's": other, "an earlier one": earlier} {
			var standing *parley.Standing
			if err := s.store.Append(ctx, claim.Ref, e); !errors.As(err, &standing) || standing.Entry != entry {
				s.Errorf("Append of %s = %v", name, err)
			}
		}
		_, err := s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: 1, Of: "m", Status: parley.StatusDone, Text: "x"})
		var standing *parley.Standing
		if !errors.As(err, &standing) || standing.Entry != entry {
			s.Errorf("EndRun at a number that is taken = %v", err)
		}
		_, err = s.store.EndRun(ctx, parley.RunRef{Project: "demo", Session: claim.Ref.Session, Run: "other"}, nil, parley.End{Next: 1, Text: "x"})
		s.want("end of another run", err, "run_over")
	})
}

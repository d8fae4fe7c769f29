package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// cut fails the test unless a run was ended early with some text, all of it stored.
func (s stage) cut(what string, got told, question string, status parley.RunStatus) {
	s.Helper()
	if got.err != nil || got.end == nil || got.end.Status != status || got.end.Entry == nil {
		s.Errorf("%s: %q, %+v, %v", what, got.text, got.end, got.err)
		return
	}
	if got.text == "" || got.text != got.end.Entry.Text || got.text == answer(question) || !strings.HasPrefix(answer(question), got.text) {
		s.Errorf("%s: told %q, stored %q", what, got.text, got.end.Entry.Text)
	}
}

// stopsWithin fails the test unless the model's stream ends within so long.
func (s stage) stopsWithin(d time.Duration) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := s.script.Await(ctx, func(calls []agenttest.Call) bool {
		for _, c := range calls {
			if !c.Ended {
				return false
			}
		}
		return true
	}); err != nil {
		s.Errorf("the model still speaks %v later", d)
	}
}

// silence fails the test unless a session stays as it is.
func (s stage) silence(what string, id parley.SessionID, d time.Duration) {
	s.Helper()
	before := s.brief(id)
	logs := func() (n int) {
		for k := range s.table.Dump(s) {
			if strings.Contains(k.PK, "/run/") {
				n++
			}
		}
		return n
	}
	entries := logs()
	time.Sleep(d)
	if after := s.brief(id); strings.Join(after, "\n") != strings.Join(before, "\n") || logs() != entries {
		s.Errorf("%s: %q and %d log entries became %q and %d", what, before, entries, after, logs())
	}
}

func (s stage) cancel(id parley.SessionID, only parley.RunID) parley.Stopped {
	s.Helper()
	_, e := s.process(s.table)
	stopped, err := e.Cancel(context.Background(), s.visitor, id, only)
	if err != nil {
		s.Fatalf("cancel: %v", err)
	}
	return stopped
}

// TestInvariant6CancelIsPrompt: when it is answered the session is free and what
// was said is stored; the model is left soon after.
func TestInvariant6CancelIsPrompt(t *testing.T) {
	t.Run("while it speaks", func(t *testing.T) { onStage(t, cancelInFlight) })
	t.Run("while it is silent", func(t *testing.T) { onStage(t, cancelInSilence) })
	t.Run("in one process", func(t *testing.T) { onStage(t, stopInOneProcess) })
	t.Run("the queue", func(t *testing.T) { onStage(t, cancelQueue) })
}

func cancelInFlight(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	for n := range 4 { // at several moments between two flushes
		text := fmt.Sprint(slowly, " ", n)
		got := s.later(question(text, id))
		time.Sleep(4*time.Second + time.Duration(n)*130*time.Millisecond)
		stopped := s.cancel(id, "")
		s.quiet(id)
		if stopped.Entry == nil || stopped.Entry.Status != parley.StatusCancelled || stopped.Entry.Run != parley.RunID(text) {
			s.Errorf("Cancel = %+v", stopped.Entry)
		}
		s.cut("cancelled", <-got, text, parley.StatusCancelled)
		s.stopsWithin(2 * time.Second)
		s.silence("after a cancel", id, 15*time.Second)
		if again := s.cancel(id, ""); again.Entry != nil {
			s.Errorf("Cancel of nothing = %+v", again.Entry)
		}
	}
	s.wants("the next", s.ask(question(plainly, id)), answer(plainly), parley.StatusDone)
}

func cancelInSilence(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	got := s.later(question(silently, id))
	time.Sleep(5 * time.Second)
	if stopped := s.cancel(id, silently); stopped.Entry == nil || stopped.Entry.Event != parley.EventNoReply {
		s.Errorf("Cancel = %+v", stopped.Entry)
	}
	s.quiet(id)
	if told := <-got; told.err != nil || told.text != "" || told.end.Status != parley.StatusCancelled || told.end.Entry.Event != parley.EventNoReply {
		s.Errorf("cancelled: %q, %+v, %v", told.text, told.end, told.err)
	}
	s.stopsWithin(2500 * time.Millisecond)
	s.silence("after a cancel", id, 30*time.Second)
}

// stopInOneProcess: a model that has said nothing yet is left at once by the process
// that stops it, as in make run, whoever stops it there.
func stopInOneProcess(s stage) {
	ctx := context.Background()
	for name, stop := range map[string]func(parley.SessionID) error{
		"cancelled": func(id parley.SessionID) error {
			_, err := s.engine.Cancel(ctx, s.visitor, id, "")
			return err
		},
		"taken over": func(id parley.SessionID) error {
			return s.store.TakeOver(ctx, parleytest.Operator(), id, parley.Author{Kind: parley.AuthorHuman, ID: "op"})
		},
	} {
		id := s.ask(question("opening "+name, "")).sent.Session.ID
		got := make(chan told, 1)
		go func() { got <- s.ask(question(silently+" "+name, id)) }()
		time.Sleep(5*time.Second + 700*time.Millisecond) // between two beats
		if err := stop(id); err != nil {
			s.Fatal(err)
		}
		s.stopsWithin(200 * time.Millisecond)
		if told := <-got; told.err != nil || told.text != "" || told.end == nil {
			s.Errorf("%s: %q, %+v, %v", name, told.text, told.end, told.err)
		}
		s.silence(name, id, 30*time.Second)
	}
}

// TestStoppedRunIsNoFailure: nothing is wrong, and nothing is logged, where a run is stopped
// before the model has said anything.
func TestStoppedRunIsNoFailure(t *testing.T) {
	for _, here := range []bool{true, false} {
		t.Run(fmt.Sprintf("by its own process: %v", here), func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				var log bytes.Buffer
				config := s.engine.Config
				config.Log = slog.New(slog.NewTextHandler(&log, nil))
				e, err := run.New(config)
				if err != nil {
					t.Fatal(err)
				}
				sent, claim, err := e.Send(s.Context(), s.visitor, question(silently, ""))
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(5*time.Second, func() {
					if !here {
						s.cancel(sent.Session.ID, "")
					} else if _, err := e.Cancel(s.Context(), s.visitor, sent.Session.ID, ""); err != nil {
						s.Error(err)
					}
				})
				if err := e.Stream(s.Context(), sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
					s.Error(err)
				}
				if log.Len() > 0 {
					s.Errorf("logged %s", &log)
				}
			})
		})
	}
}

func cancelQueue(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	ask := func(text string) <-chan told {
		got := s.later(question(text, id))
		time.Sleep(100 * time.Millisecond)
		return got
	}
	first, second, third, fourth := ask(slowly), ask("second"), ask("third"), ask("fourth")
	time.Sleep(2 * time.Second)
	s.cancel(id, "third")
	if got := <-third; got.err != nil || got.end.Status != parley.StatusCancelled || got.text != "" {
		s.Errorf("cancelled while it waited: %q, %+v, %v", got.text, got.end, got.err)
	}
	s.cancel(id, slowly)
	s.cut("cancelled while it ran", <-first, slowly, parley.StatusCancelled)
	s.wants("who was next", <-second, answer("second"), parley.StatusDone)
	s.wants("the last", <-fourth, answer("fourth"), parley.StatusDone)
	all := []<-chan told{ask(slowly + " 2"), ask("fifth"), ask("sixth")}
	time.Sleep(2 * time.Second)
	s.cancel(id, "")
	for n, got := range all {
		if got := <-got; got.err != nil || got.end.Status != parley.StatusCancelled {
			s.Errorf("cancelled with all, %d: %+v, %v", n, got.end, got.err)
		}
	}
	s.quiet(id)
	s.calls("opening", slowly, "second", "fourth", slowly+" 2")
}

// TestInvariant8TakeoverIsExact: once a human has the session nothing of the AI
// is added, whatever ran or waited; and it is the agent's again when handed back.
func TestInvariant8TakeoverIsExact(t *testing.T) {
	t.Run("by a human", func(t *testing.T) { onStage(t, takeover) })
	t.Run("by the agent", func(t *testing.T) { onStage(t, handover) })
}

func takeover(s stage) {
	ctx := context.Background()
	id := s.ask(question("opening", "")).sent.Session.ID
	first := s.later(question(slowly, id))
	time.Sleep(2 * time.Second)
	second := s.later(question("second", id))
	time.Sleep(2100 * time.Millisecond)
	ola := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	for range 2 {
		if err := s.store.TakeOver(ctx, parleytest.Operator(), id, ola); err != nil {
			s.Fatal(err)
		}
	}
	s.quiet(id)
	entries := s.brief(id)
	if last := entries[len(entries)-1]; !strings.Contains(last, "taken_over") || strings.Count(strings.Join(entries, "\n"), "taken_over \"\"") != 1 {
		s.Errorf("the order ends with %q", entries)
	}
	s.cut("who was being answered", <-first, slowly, parley.StatusTakenOver)
	if got := <-second; got.err != nil || got.end.Status != parley.StatusTakenOver || got.text != "" {
		s.Errorf("who waited: %q, %+v, %v", got.text, got.end, got.err)
	}
	s.stopsWithin(2 * time.Second)
	s.silence("after a takeover", id, 15*time.Second)
	for _, wish := range []parley.Busy{parley.BusyQueue, parley.BusyRefuse, parley.BusySupersede} {
		sent, claim, err := s.engine.Send(ctx, s.visitor, asking("to Ola "+string(wish), id, wish))
		if err != nil || claim != nil || sent.Ref.Run != "" || sent.Pending || sent.Message.Seq == 0 {
			s.Errorf("a message to a human: %+v, %v", sent, err)
		}
	}
	s.silence("a human has it", id, time.Minute)
	if err := s.store.HandBack(ctx, parleytest.Operator(), id, ola); err != nil {
		s.Fatal(err)
	}
	s.wants("handed back", s.ask(question(plainly, id)), answer(plainly), parley.StatusDone)
	s.calls("opening", slowly, plainly)
	if n := len(s.script.Record()[2].Conversation.Turns); n != 9 {
		s.Errorf("the model is told %d turns", n)
	}
}

func handover(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	first := s.later(question(toHuman, id))
	time.Sleep(time.Second)
	second := s.later(question("second", id))
	s.wants("the last words", <-first, answer(toHuman), parley.StatusDone)
	got := <-second
	if got.err != nil || got.end.Status != parley.StatusTakenOver || got.end.Entry.Of != "second" || got.end.Entry.Run != "second" {
		s.Errorf("who waited: %+v, %v", got.end, got.err)
	}
	session, err := s.store.Session(context.Background(), s.visitor, id)
	if err != nil || session.Holder != parley.HolderWaiting {
		s.Errorf("the session is %+v, %v", session, err)
	}
	if sent, claim, err := s.engine.Send(context.Background(), s.visitor, question("anybody there?", id)); err != nil || claim != nil || sent.Ref.Run != "" {
		s.Errorf("a message that waits for a human: %+v, %v", sent, err)
	}
	s.silence("waiting for a human", id, time.Minute)
	s.calls("opening", toHuman)
}

// TestInvariant14NoCallWhenSpent: tokens are set aside before the model is
// asked and settled after; what is spent gets a clear answer and no call.
func TestInvariant14NoCallWhenSpent(t *testing.T) {
	const runs = 4000 // what a run sets aside
	for name, test := range map[string]struct {
		budgets parley.Budgets
		told    bool // the visitor gets an answer, else an error
	}{
		"the visitor's": {parley.Budgets{VisitorTokens: 2*runs + 3500}, false},
		"the address's": {parley.Budgets{VisitorTokens: 1e9, AddressTokens: 2*runs + 3500}, true},
		"the project's": {parley.Budgets{VisitorTokens: 1e9, ProjectTokens: 2*runs + 3500}, true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s stage) {
				s.visitor.Address = "203.0.113.7"
				p := parleytest.Settings()
				p.Budgets = test.budgets
				p.Budgets.MessagesPerMinute = 1e6
				parleytest.Put(s, s.store, p)
				s.script = agenttest.New(func(c agent.Conversation) []agenttest.Step {
					return append(asAsked(c), agenttest.Step{Result: &agent.Result{Usage: agent.Usage{Input: 2500, Output: 1500}}})
				})
				_, e := s.process(s.table)
				id := s.askVia(e, question("first", "")).sent.Session.ID
				// Nearly all is used: one more fits, and is cancelled.
				_, claim, err := e.Send(context.Background(), s.visitor, question(slowly, id))
				if err != nil {
					s.Fatal(err)
				}
				s.spent(e, "while another runs", "second", test.told)
				time.AfterFunc(3*time.Second, func() { s.cancel(id, "") })
				if err := e.Stream(context.Background(), claim.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
					s.Error(err)
				}
				// What the cancelled one did not use is there again.
				s.wants("after a cancel", s.askVia(e, question("third", "")), answer("third"), parley.StatusDone)
				s.spent(e, "when all is used", "fourth", test.told)
				s.calls("first", slowly, "third")
				time.Sleep(24 * time.Hour)
				s.wants("tomorrow", s.askVia(e, question("fifth", "")), answer("fifth"), parley.StatusDone)
			})
		})
	}
}

// spent asks what must not be answered for want of tokens.
func (s stage) spent(e *run.Engine, what, text string, told bool) {
	s.Helper()
	got := s.askVia(e, question(text, ""))
	if !told {
		if e := (*parley.Error)(nil); !errors.As(got.err, &e) || e.Code != "budget_spent" || e.RetryAfter == 0 {
			s.Errorf("%s: %q, %v", what, got.text, got.err)
		}
		return
	}
	if got.err != nil || got.end.Status != parley.StatusFailed || got.end.Entry.Author.Kind != parley.AuthorSystem || !strings.Contains(got.text, "limit") {
		s.Errorf("%s: %q, %+v, %v", what, got.text, got.end, got.err)
	}
}

// TestInvariant15ErasedWhileItSpeaks: erasing ends the run, and its readers.
func TestInvariant15ErasedWhileItSpeaks(t *testing.T) {
	onStage(t, func(s stage) {
		id := s.ask(question("opening", "")).sent.Session.ID
		first, second := s.later(question(slowly, id)), (<-chan told)(nil)
		time.Sleep(2100 * time.Millisecond)
		second = s.later(question("second", id))
		time.Sleep(2100 * time.Millisecond)
		if err := s.store.Erase(context.Background(), s.visitor, id); err != nil {
			s.Fatal(err)
		}
		for name, got := range map[string]told{"who was being answered": <-first, "who waited": <-second} {
			if got.err != nil || got.end == nil || got.end.Status != parley.StatusCancelled || got.end.Entry != nil || got.end.Session != nil {
				s.Errorf("%s: %+v, %v", name, got.end, got.err)
			}
		}
		s.stopsWithin(2 * time.Second)
		time.Sleep(15 * time.Second)
		for k, item := range s.table.Dump(s) {
			if said := item.String("data"); strings.Contains(said, "reply") || strings.Contains(said, string(id)) {
				s.Errorf("%v holds %s", k, said)
			}
		}
		s.calls("opening", slowly)
	})
}

// TestACancelledReplyCosts: what a model was told and had said is paid for, whoever
// ended its reply.
func TestACancelledReplyCosts(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		const runs = 4000 // what a run sets aside
		p := parleytest.Settings()
		p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: runs + 500}
		parleytest.Put(s, s.store, p)
		_, e := s.process(s.table)
		long := question(slowly, "")
		long.Content += strings.Repeat(" many words", 270)
		sent, claim, err := e.Send(s.Context(), s.visitor, long)
		if err != nil {
			s.Fatal(err)
		}
		time.AfterFunc(3*time.Second, func() { s.cancel(sent.Session.ID, "") })
		if err := e.Stream(s.Context(), sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
			s.Error(err)
		}
		s.spent(e, "after a long question", "second", false)
	})
}

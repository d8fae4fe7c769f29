package run_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
)

// TestAFormIsAReply: a form is a reply without a word, filled in as far as what the
// model says fits; nothing is asked of the host before the visitor has sent it.
func TestAFormIsAReply(t *testing.T) {
	for arguments, known := range map[string]string{`{"order":"7","reason":"late"}`: `{"order":"7"}`, `{"order":7}`: "", `[]`: "", `{}`: ""} {
		t.Run(arguments, func(t *testing.T) {
			inShop(t, func(s *shop) {
				s.says["refund"] = []agenttest.Step{calling("refund", arguments)}
				got := s.ask(s.engine, question("refund", ""))
				if got.err != nil || got.text != "" || got.end.Status != parley.StatusDone || got.end.Entry == nil || len(got.end.Entry.Parts) != 1 {
					s.Fatalf("told %+v, %+v", got, got.end)
				}
				call := got.end.Entry.Parts[0].Action
				if call.Form == nil || string(call.Form.Parameters) != parameters || string(call.Arguments) != known || call.Error != "" {
					s.Errorf("the reply has the call %+v with the form %+v", call, call.Form)
				}
				if used := s.script.Record()[0].Used; len(used) != 1 || used[0].Failed || used[0].Text != "The visitor sees a form below your reply. Nothing has been done yet: tell the visitor to fill it in and send it." {
					s.Errorf("the model is told %+v", used)
				}
				s.says["and now"] = agenttest.Say("Please send it.")
				s.ask(s.engine, question("and now", got.sent.Session.ID))
				want := agent.Outcome{Text: "The visitor has been shown a form for it and has not sent it."}
				if earlier := s.script.Record()[1].Conversation.Earlier; len(earlier) != 1 || earlier[0].Outcome != want || len(s.asked) != 0 {
					s.Errorf("the next turn is told of %+v; the host was asked %v", earlier, s.asked)
				}
			})
		})
	}
}

// TestFormLeavesTimeToStore: the action of a form is left early enough for its result to
// be stored, and the same form again carries out nothing.
func TestFormLeavesTimeToStore(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says["refund"] = []agenttest.Step{calling("refund", `{"order":"7"}`)}
		got := s.ask(s.engine, question("refund", ""))
		if got.err != nil {
			s.Fatal(got.err)
		}
		form := parley.FormRequest{Session: got.sent.Session.ID, Message: got.end.Entry.ID, Call: got.end.Entry.Parts[0].Action.ID, Arguments: []byte(`{"order":"7"}`)}
		s.host = func(ctx context.Context, _ parley.ActionRequest) (parley.ActionResult, error) {
			<-ctx.Done()
			return parley.ActionResult{}, ctx.Err()
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
		defer cancel()
		for range 2 {
			sent, err := s.engine.Submit(ctx, s.visitor, form)
			if err != nil || sent.Call.Error != "No answer in time; nobody knows whether it was done." || time.Since(began) != 7*time.Second || len(s.asked) != 1 {
				s.Errorf("Submit = %+v, %v after %v and %d requests", sent.Call, err, time.Since(began), len(s.asked))
			}
		}
		form.Call = "none"
		if _, err := s.engine.Submit(ctx, s.visitor, form); !errors.Is(err, parley.ErrNotFound) {
			s.Errorf("Submit of no form = %v", err)
		}
	})
}

// TestFormsWithoutActions: a host that carries out no actions says so of a form.
func TestFormsWithoutActions(t *testing.T) {
	inShop(t, func(s *shop) {
		s.says["refund"] = []agenttest.Step{calling("refund", `{"order":"7"}`)}
		got := s.ask(s.engine, question("refund", ""))
		if got.err != nil {
			s.Fatal(got.err)
		}
		sent, err := newEngine(t, s.store, s.script).Submit(s.Context(), s.visitor, parley.FormRequest{Session: got.sent.Session.ID, Message: got.end.Entry.ID,
			Call: got.end.Entry.Parts[0].Action.ID, Arguments: []byte(`{"order":"7"}`)})
		if err != nil || sent.Call.Error != "Not sent: actions are not carried out here." || len(s.asked) != 0 {
			s.Errorf("Submit = %+v, %v", sent.Call, err)
		}
	})
}

// TestPagesOfOpenCXTellPeopleAlone: what such a page says of its session is not told
// to the model; what others say is.
func TestPagesOfOpenCXTellPeopleAlone(t *testing.T) {
	for channel, told := range map[parley.Channel]int{parley.ChannelNative: 1, parley.ChannelOpenCX: 0} {
		t.Run(string(channel), func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				q := question(plainly, "")
				q.Channel, q.Metadata = channel, map[string]string{"plan": "gold"}
				if got := s.ask(q); got.err != nil {
					s.Fatal(got.err)
				}
				if got := s.script.Record()[0].Conversation.Metadata; len(got) != told {
					s.Errorf("the model is told %v", got)
				}
			})
		})
	}
}

// TestFlushes: the first text is logged at once, what comes in the first second
// 200 ms after that, and then 400 ms, also where the model has fallen silent.
func TestFlushes(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		steps := agenttest.Evenly("twenty tokens in half a second", 10, 500*time.Millisecond)
		steps = append(steps, agenttest.Step{Delay: 700 * time.Millisecond, Delta: ", one later"}, agenttest.Step{Delay: 10 * time.Millisecond, Delta: ", one at once"},
			agenttest.Step{Delay: 3 * time.Second, Delta: "."})
		s.script = agenttest.New(agenttest.Always(steps...))
		_, e := s.process(s.table)
		began := time.Now()
		got := s.askVia(e, question("m", ""))
		log, err := s.store.ReadLog(s.Context(), got.sent.Ref, 0, true)
		if err != nil {
			s.Fatal(err)
		}
		var at []time.Duration
		for _, l := range log[1:] {
			if l.Kind == parley.LogText {
				at = append(at, time.UnixMilli(l.At).Sub(began.Truncate(time.Millisecond)).Truncate(10*time.Millisecond))
			}
		}
		want := []time.Duration{50, 250, 450, 650, 1200, 1600}
		for i := range want {
			if want[i] *= time.Millisecond; i >= len(at) || at[i] != want[i] {
				s.Fatalf("flushed at %v, want %v", at, want[:i+1])
			}
		}
	})
}

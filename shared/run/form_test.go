package run_test

import (
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

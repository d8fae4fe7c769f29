package run_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table/fault"
)

// turns is what the model was told in one of its calls.
func turns(s stage, call int) (texts []string) {
	for _, turn := range s.script.Record()[call].Conversation.Turns {
		texts = append(texts, fmt.Sprint(turn.Role, " ", turn.Text))
	}
	return texts
}

// TestOtherRepliesAreTold: of what came before, the model is told what was said, also
// where it broke off, and not its own failed tries at the same message.
func TestOtherRepliesAreTold(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		id := s.ask(question(plainly, "")).sent.Session.ID
		s.ask(question(brokenOff, id))
		s.ask(parley.SendRequest{ID: "retry", Session: id, Retry: brokenOff, Claim: true})
		s.ask(question("next", id))
		first := []string{fmt.Sprint(agent.Visitor, " ", plainly), fmt.Sprint(agent.AI, " ", answer(plainly))}
		asked, broke := fmt.Sprint(agent.Visitor, " ", brokenOff), fmt.Sprint(agent.AI, " half an answer")
		for call, want := range [][]string{first[:1], append(first, asked), append(first, asked), append(first, asked, broke, broke, fmt.Sprint(agent.Visitor, " next"))} {
			if got := turns(s, call); !slices.Equal(got, want) {
				s.Errorf("call %d is told %q, want %q", call, got, want)
			}
		}
	})
}

// TestExtrasAreToldAgain: what the page adds to a message comes to the model with each try
// at an answer, whoever asks it.
func TestExtrasAreToldAgain(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: "half"}, agenttest.Step{Err: agent.ErrCut}))
		store, e := s.process(s.table)
		q := question("m", "")
		q.Extras = parley.Extras{Prompt: "The cart is empty.", Context: []byte(`{"cart":0}`)}
		id := s.askVia(e, q).sent.Session.ID
		s.askVia(e, parley.SendRequest{ID: "retry", Session: id, Retry: "m", Claim: true})
		again := parleytest.Send(s, store, s.visitor, parley.SendRequest{ID: "again", Session: id, Retry: "retry"})
		if err := e.Respond(s.Context(), again.Ref); err != nil {
			t.Fatal(err)
		}
		calls := s.script.Record()
		for n, call := range calls {
			c := call.Conversation
			if last := c.Turns[len(c.Turns)-1].Text; last != "m\n\n(The page adds: The cart is empty.)" || c.Context != `{"cart":0}` {
				t.Errorf("call %d is told %q and %q", n, last, c.Context)
			}
		}
		if len(calls) != 3 {
			t.Errorf("the model was called %d times", len(calls))
		}
	})
}

// TestModelIsToldAllOrNotAsked: whichever read of a responder fails, the model is told what
// came along with the message and what is known of who sent it, or it is not asked.
func TestModelIsToldAllOrNotAsked(t *testing.T) {
	for _, many := range []int{1, 6} { // one after another
		modelIsToldAll(t, many)
	}
}

func modelIsToldAll(t *testing.T, many int) {
	for call, more := 1, true; more && !t.Failed(); call++ {
		onStageOfBolt(t, func(s stage) {
			known := parley.Identity{External: "ann", Context: []byte(`{"plan":"gold"}`)}
			s.visitor = parleytest.Contact(s, s.store, s.visitor, known.External)
			if _, _, err := s.store.Vouch(s.Context(), parleytest.Operator(), known); err != nil {
				s.Fatal(err)
			}
			q := question("m", "")
			q.Claim, q.Extras = false, parley.Extras{Prompt: "The cart is empty.", Context: []byte(`{"cart":0}`)}
			ref := parleytest.Send(s, s.store, s.visitor, q).Ref
			plan := map[int]fault.Kind{}
			for n := range many {
				plan[call+n] = fault.Unreadable
			}
			p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: plan})
			var log bytes.Buffer
			config := s.engine.Config
			config.Store, config.Log = parleytest.Store(s, parley.Config{Table: p}), slog.New(slog.NewTextHandler(&log, nil))
			e, err := run.New(config)
			if err != nil {
				s.Fatal(err)
			}
			err = e.Respond(s.Context(), ref)
			more = p.Calls() >= call
			asked := s.script.Record()
			if err != nil && (!errors.Is(err, parley.ErrUnavailable) || len(asked) > 0) {
				s.Errorf("calls from %d on unreadable: Respond = %v, and the model was asked %+v", call, err, asked)
			}
			entries, readErr := s.store.ReadLog(s.Context(), ref, 0, true)
			gaveUp := -len(asked)
			for _, l := range entries {
				if l.Kind == parley.LogClaim {
					gaveUp++
				}
			}
			if logged := strings.Count(log.String(), "level=ERROR msg=run "); readErr != nil || logged != gaveUp {
				s.Errorf("calls from %d on unreadable: %d runners gave up, %v, logged is %s", call, gaveUp, readErr, &log)
			}
			if err != nil {
				return
			}
			if len(asked) != 1 || asked[0].Conversation.Contact != `{"plan":"gold"}` || asked[0].Conversation.Context != `{"cart":0}` || asked[0].Conversation.Turns[0].Text != "m\n\n(The page adds: The cart is empty.)" {
				s.Errorf("calls from %d on unreadable: the model is asked %+v", call, asked)
			}
			s.quiet(ref.Session)
		})
	}
}

// TestGreetingIsTold: the model knows what the visitor was greeted with: what the page
// says it has shown, once, and else what pages of the channel show by themselves.
func TestGreetingIsTold(t *testing.T) {
	said := []parley.Said{{Text: "Hi, I am Guide."}, {Text: "I need help", By: parley.Author{Kind: parley.AuthorUser}}, {Text: "With what?"}}
	for name, test := range map[string]struct {
		channel parley.Channel
		page    []parley.Said
		project string
		want    []string
	}{
		"nothing":                    {parley.ChannelNative, nil, "", nil},
		"the project's":              {parley.ChannelNative, nil, "Welcome!", []string{"Welcome!"}},
		"the page's":                 {parley.ChannelNative, said, "Welcome!", []string{"Hi, I am Guide.", "With what?"}},
		"the visitor's own":          {parley.ChannelNative, said[1:2], "Welcome!", []string{"Welcome!"}},
		"of a page that says itself": {parley.ChannelHissuno, nil, "Welcome!", nil},
	} {
		t.Run(name, func(t *testing.T) {
			onStageOfBolt(t, func(s stage) {
				p := busySettings()
				p.Greeting = test.project
				parleytest.Put(t, s.store, p)
				q := question("first", "")
				q.Channel, q.Greeting = test.channel, test.page
				id := s.ask(q).sent.Session.ID
				later := question("second", id)
				later.Channel, later.Greeting = test.channel, []parley.Said{{Text: "Again?"}}
				s.ask(later)
				responded := question("third", id)
				responded.Channel, responded.Claim = test.channel, false
				if err := s.engine.Respond(s.Context(), parleytest.Send(t, s.store, s.visitor, responded).Ref); err != nil {
					t.Error(err)
				}
				calls := s.script.Record()
				for n, call := range calls {
					if got := call.Conversation.Greeting; !slices.Equal(got, test.want) {
						t.Errorf("turn %d is told of the greeting %q, want %q", n, got, test.want)
					}
				}
				if len(calls) != 3 {
					t.Errorf("the model was called %d times", len(calls))
				}
			})
		})
	}
}

// TestGreetingIsToldToResponders: so is the model that a responder asks for the first
// message.
func TestGreetingIsToldToResponders(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		q := question("first", "")
		q.Claim, q.Greeting = false, []parley.Said{{Text: "Hi!"}}
		if err := s.engine.Respond(s.Context(), parleytest.Send(t, s.store, s.visitor, q).Ref); err != nil {
			t.Fatal(err)
		}
		if got := s.script.Record()[0].Conversation.Greeting; !slices.Equal(got, []string{"Hi!"}) {
			t.Errorf("the model is told of the greeting %q", got)
		}
	})
}

// TestWhatAgentsSee: messages of visitors, of agents and of people are turns, with the
// names of their files; notes, events and what the system says are none.
func TestWhatAgentsSee(t *testing.T) {
	file := []parley.Part{{Attachment: &parley.Attachment{Name: "a.pdf", Type: "application/pdf"}}, {Source: &parley.Source{Title: "b"}}}
	for name, test := range map[string]struct {
		entry parley.Entry
		want  agent.Role
		files int
	}{
		"a visitor's":       {parley.Entry{Author: parley.Author{Kind: parley.AuthorUser}, Text: "x", Parts: file}, agent.Visitor, 1},
		"an agent's":        {parley.Entry{Author: parley.Author{Kind: parley.AuthorAI}, Text: "x"}, agent.AI, 0},
		"a person's":        {parley.Entry{Author: parley.Author{Kind: parley.AuthorHuman}, Text: "x"}, agent.Human, 0},
		"the system's":      {parley.Entry{Author: parley.Author{Kind: parley.AuthorSystem}, Text: "x"}, "", 0},
		"a person's note":   {parley.Entry{Author: parley.Author{Kind: parley.AuthorHuman}, Text: "x", Internal: true}, "", 0},
		"an event":          {parley.Entry{Author: parley.Author{Kind: parley.AuthorHuman}, Event: parley.EventTakenOver}, "", 0},
		"nobody's in words": {parley.Entry{Text: "x"}, "", 0},
	} {
		turn, ok := run.TurnOf(test.entry)
		if ok != (test.want != "") || turn.Role != test.want || len(turn.Attachments) != test.files || ok && turn.Text != "x" {
			t.Errorf("%s is %+v, %v", name, turn, ok)
		}
		if test.files > 0 && turn.Attachments[0] != "a.pdf (application/pdf)" {
			t.Errorf("%s has the files %q", name, turn.Attachments)
		}
	}
}

// TestEarlierFormsAreTold: what came of a form that was sent is told as far as it is known.
func TestEarlierFormsAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		send func(s *shop, form parley.FormRequest) error
		want agent.Outcome
	}{
		"it was carried out": {func(s *shop, form parley.FormRequest) error {
			_, err := s.engine.Submit(s.Context(), s.visitor, form)
			return err
		}, agent.Outcome{Text: `{"status":200,"body":{"state":"sent"}}`}},
		"its process has died": {func(s *shop, form parley.FormRequest) error {
			_, err := s.store.SubmitForm(s.Context(), s.visitor, form)
			return err
		}, agent.Outcome{Text: "The visitor has sent the form; what came of it is not known.", Failed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			inShop(t, func(s *shop) {
				s.says["call"] = []agenttest.Step{calling("refund", `{"order":"7"}`), {Result: &agent.Result{Sources: []agent.Source{{Title: "Refunds", URL: "https://shop.example/"}}}}}
				got := s.ask(s.engine, question("call", ""))
				if got.err != nil {
					t.Fatal(got.err)
				}
				form := parley.FormRequest{Session: got.sent.Session.ID, Message: got.end.Entry.ID, Call: got.end.Entry.Parts[0].Action.ID, Arguments: []byte(`{"order":"7"}`)}
				if err := test.send(s, form); err != nil {
					t.Fatal(err)
				}
				s.says["and now"] = agenttest.Say("All right.")
				s.ask(s.engine, question("and now", form.Session))
				if earlier := s.script.Record()[1].Conversation.Earlier; len(earlier) != 1 || earlier[0].Outcome != test.want || earlier[0].ID != form.Call {
					t.Errorf("the next turn is told of %+v, want %+v", earlier, test.want)
				}
			})
		})
	}
}

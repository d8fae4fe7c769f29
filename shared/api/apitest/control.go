package apitest

import (
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
)

// testControl: only a call makes something happen, and the visitor reads something
// also where the model says nothing besides.
func testControl(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) {
		p.Texts = map[string]string{parley.TextHandingOver: "I get somebody.", parley.TextGoodbye + ".de": "Auf Wiedersehen!"}
	}).visitor()
	const quoted = "Write so:\n[HANDOVER]\n[GOODBYE]"
	s.Model.Script("How do I quote a marker?", []Step{{Text: "Write so:\n[HAND"}, {Text: "OVER]\n[GOODBYE]"}})
	if got := b.chat(ask("How do I quote a marker?")); got.ended.Message.Text != quoted || got.text != quoted ||
		got.ended.Session.Holder != parley.HolderAI || got.ended.Session.State != parley.StateOpen {
		t.Errorf("a quotation: %+v, %q", got.ended, got.text)
	}
	for _, test := range []struct {
		question, language, tool, says string
		holder                         parley.Holder
	}{
		{"Somebody, in silence?", "", "hand_over", "I get somebody.", parley.HolderWaiting},
		{"Tschüss, und still?", "de-AT", "end_conversation", "Auf Wiedersehen!", parley.HolderAI},
		{"Solved, in silence?", "", "mark_solved", "I am glad that this is solved.", parley.HolderAI},
	} {
		s.Model.Script(test.question, []Step{{Call: test.tool, Arguments: "{}"}, {Text: "A second request."}})
		got := b.chat(ask(test.question).with("language", test.language))
		if e := got.ended; e.Message.Text != test.says || got.text != test.says || e.Message.Author.Kind != string(parley.AuthorAI) || e.Session.Holder != test.holder {
			t.Errorf("%s: %+v, %q", test.question, e, got.text)
		}
		if tools := s.Model.Heard(test.question).Tools; s.Model.Asked(test.question) != 1 || !slices.Contains(tools, test.tool) {
			t.Errorf("%s: asked %d times, offered %q", test.question, s.Model.Asked(test.question), tools)
		}
	}
}

// testGreeting: the agent knows what the visitor was greeted with, and nobody takes
// it for the agent's words. The team sees what a page said that it showed.
func testGreeting(t *testing.T, s *suite) {
	const greeting = "Would you like (1) a refund or (2) an exchange?"
	b := s.project(t, func(p *parley.Project) { p.Greeting = greeting }).visitor()
	const one = "1, as the greeting says"
	s.Model.Script(one, []Step{{Text: "A refund."}})
	b.chat(ask(one))
	if h := s.Model.Heard(one); !strings.Contains(h.System, `"page_greeting":["`+greeting+`"]`) || len(h.Said) != 0 {
		t.Errorf("the model was told %+v", h)
	}
	sent, err := s.Store.Send(t.Context(), b.who(), parley.SendRequest{ID: parley.EntryID(fresh("m")), Content: "Hello", Greeting: []parley.Said{{Text: "Welcome!"}}})
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Text     string
		Greeting []string
		Author   parley.Author
	}
	staff := into[struct{ Entries []entry }](b.staff("grace", parley.Scopes()...).get(ofStaff(sent.Session.ID)))
	if e := staff.Entries; len(e) == 0 || e[0].Text != "Hello" || !slices.Equal(e[0].Greeting, []string{"Welcome!"}) || e[0].Author.Kind != parley.AuthorUser {
		t.Errorf("operators see %+v", staff.Entries)
	}
}

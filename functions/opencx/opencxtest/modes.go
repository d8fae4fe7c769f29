package opencxtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"parley/shared/api/apitest"
	"parley/shared/parley"
)

// listen serves until the test ends, and returns the address.
func listen(t *testing.T, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// inMode begins a session whose agent has entered the mode "returns".
func (p *page) inMode(question string) string {
	p.t.Helper()
	id := p.begin()
	p.Model.Script(question, []apitest.Step{{Call: "enter_mode", Arguments: `{"mode":"returns"}`}, {Text: "Which order?"}})
	p.say(id, question)
	return id
}

func testModes(t *testing.T, s *suite) {
	p := s.project(t, func(p *parley.Project) {
		p.Modes = []parley.Mode{{ID: "returns", Name: "Returns", Slug: "send-back", Description: "The visitor sends something back.", Instructions: "Ask for the order."}}
	})
	v := p.visitor("")
	t.Run("O41 no mode", func(t *testing.T) {
		if got := v.poll(v.begin()).Session; got.ModeID != nil {
			t.Errorf("mode = %q", *got.ModeID)
		}
	})
	t.Run("O41 the agent's way in and out", func(t *testing.T) {
		id := v.begin()
		s.Model.Script("I send it back.", []apitest.Step{{Call: "enter_mode", Arguments: `{"mode":"returns"}`}, {Text: "Which order?"}})
		in := v.say(id, "I send it back.")
		modes := into[struct {
			Modes []struct{ ID, Name, Slug string }
		}](v.get("/config").ok()).Modes
		if len(modes) != 1 || in.Session.ModeID == nil || *in.Session.ModeID != modes[0].ID || in.Reply.Mode == nil || *in.Reply.Mode != modes[0] || in.Reply.Exited {
			t.Errorf("config has %+v; in the mode %+v, %+v", modes, in.Session.ModeID, in.Reply)
		}
		s.Model.Script("Never mind.", []apitest.Step{{Call: "leave_mode", Arguments: `{}`}, {Text: "Fine."}})
		out := v.say(id, "Never mind.")
		heard := s.Model.Heard("Never mind.")
		if !strings.Contains(heard.System, "Ask for the order.") || !slices.Contains(heard.Tools, "leave_mode") || slices.Contains(heard.Tools, "enter_mode") {
			t.Errorf("in the mode the agent is told %q and offered %v", heard.System, heard.Tools)
		}
		if out.Session.ModeID != nil || out.Reply.Mode != nil || !out.Reply.Exited || v.poll(id).Session.ModeID != nil {
			t.Errorf("out of the mode: %+v, %+v", out.Session.ModeID, out.Reply)
		}
	})
	t.Run("O41 exit_mode_prompt", func(t *testing.T) {
		id := v.inMode("Back with it.")
		if got := v.poll(id).Session.ModeID; got == nil || *got != "returns" {
			t.Fatalf("mode = %v", got)
		}
		v.post("/checkpoint", object{"session_id": id, "payload": object{"step": "address"}}).ok()
		m := v.message(id, "Cancel that.")
		m["exit_mode_prompt"], m["clientContext"] = "The visitor pressed Cancel.", object{"cart": 3}
		s.Model.Script("The visitor pressed Cancel.)", []apitest.Step{{Text: "Cancelled."}})
		out := v.send(m)
		if out.Session.ModeID != nil || out.Reply == nil || !out.Reply.Exited || v.poll(id).Session.ModeID != nil {
			t.Errorf("answer = %+v", out)
		}
		heard := s.Model.Heard("The visitor pressed Cancel.)")
		if !strings.HasPrefix(heard.Question, "Cancel that.") || strings.Contains(heard.System, "Ask for the order.") {
			t.Errorf("the agent was told %+v", heard)
		}
		if !strings.Contains(heard.System, `"page_context":{"cart":3}`) || !strings.Contains(heard.System, `"checkpoint":{"step":"address"}`) {
			t.Errorf("of context and checkpoint the agent was told %q", heard.System)
		}
		if lines := v.poll(id).lines(); slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "pressed") }) {
			t.Errorf("the prompt is in the history: %v", lines)
		}
	})
	t.Run("O41 a mode that is none any more", func(t *testing.T) {
		id := v.inMode("Back it goes.")
		stood, err := s.Store.Settings(t.Context(), p.project)
		if err != nil {
			t.Fatal(err)
		}
		stood.Project.Modes = nil
		if err := s.Store.PutProject(t.Context(), stood.Project); err != nil {
			t.Fatal(err)
		}
		v.await("settings that are read again", func() bool { return len(into[struct{ Modes []any }](v.get("/config").ok()).Modes) == 0 })
		if got := v.poll(id).Session.ModeID; got != nil {
			t.Errorf("mode = %q, which config does not have", *got)
		}
	})
}

// bodyText is what clients make of a result: what its text says.
func bodyText(t *testing.T, result json.RawMessage) string {
	t.Helper()
	var r struct{ ResponseBodyText *string }
	if err := json.Unmarshal(result, &r); err != nil || r.ResponseBodyText == nil {
		return ""
	}
	if !json.Valid([]byte(*r.ResponseBodyText)) {
		t.Errorf("responseBodyText %q is no JSON", *r.ResponseBodyText)
	}
	return *r.ResponseBodyText
}

package parley_test

import (
	"context"
	"testing"

	"parley/shared/parley"
)

// TestModeOfASession: a reply puts its session into a mode, and a message takes it out.
func TestModeOfASession(t *testing.T) {
	onBolt(t, func(s scene) {
		sales := "sales"
		claim := s.send(say("m1", "")).Claim
		if _, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: 1, Of: "m1", Status: parley.StatusDone, Text: "hi", Unflushed: "hi", Mode: &sales}); err != nil {
			s.Fatal(err)
		}
		id := claim.Ref.Session
		if got := s.session(id).Mode; got != sales {
			s.Errorf("after the reply the mode is %q", got)
		}
		s.reply(s.send(say("m2", id)).Claim, "well")
		if got := s.session(id).Mode; got != sales {
			s.Errorf("after another turn the mode is %q", got)
		}
		r := say("m3", id)
		r.LeaveMode = true
		s.send(r)
		if got := s.session(id).Mode; got != "" {
			s.Errorf("after it was left the mode is %q", got)
		}
	})
}

// TestModeByItsID: a project knows its modes by their ids.
func TestModeByItsID(t *testing.T) {
	p := parley.Project{Modes: []parley.Mode{{ID: "sales", Name: "Sales"}, {ID: "help", Name: "Help"}}}
	if m, ok := p.Mode("help"); !ok || m.Name != "Help" {
		t.Errorf("Mode(help) = %+v, %v", m, ok)
	}
	if m, ok := p.Mode("other"); ok || m.ID != "" {
		t.Errorf("Mode(other) = %+v, %v", m, ok)
	}
}

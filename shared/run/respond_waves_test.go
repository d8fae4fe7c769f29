package run_test

import (
	"testing"
	"testing/synctest"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestResponderIsSoonAtTheModel: between the responder's invocation and the model are
// at most four waves of table calls, also in a process that has only just begun and for
// somebody who is signed in.
func TestResponderIsSoonAtTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := meter.New(meter.Config{Table: distant{parleytest.Table(t)}})
		store := parleytest.Store(t, parley.Config{Table: m})
		parleytest.Put(t, store, parleytest.Settings())
		caller := parleytest.Contact(t, store, parleytest.Visitor(t, store), "ann")
		session := parley.SessionID("hub-session")
		for _, turn := range []struct {
			id    parley.EntryID
			warm  bool
			waves int
		}{{"m1", false, 4}, {"m2", true, 3}, {"m3", false, 4}} {
			waves := 0
			responder := store
			if !turn.warm {
				responder = parleytest.Store(t, parley.Config{Table: m})
			}
			engine := newEngine(t, responder, agenttest.New(func(agent.Conversation) []agenttest.Step {
				waves = m.Counts().Waves
				return agenttest.Say("a reply")
			}))
			sent := parleytest.Send(t, store, caller, parley.SendRequest{ID: turn.id, Session: session, Begins: turn.id == "m1",
				Channel: parley.ChannelChatHub, Content: "Hello?"})
			m.Reset()
			if err := engine.Respond(t.Context(), sent.Ref); err != nil {
				t.Fatal(err)
			}
			if waves != turn.waves {
				t.Errorf("%s: %d waves of calls before the model is asked, want %d", turn.id, waves, turn.waves)
			}
		}
	})
}

package push_test

import (
	"errors"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
)

// TestEndedMeanwhile: a reply that is cancelled while its relay still tells what comes
// before it is not begun any more, whoever has told its end.
func TestEndedMeanwhile(t *testing.T) {
	in(t, slowly, func(w *world) {
		w.connect()
		w.send("m0")
		time.Sleep(8 * time.Second)
		w.settle()
		w.gateway.takes = time.Second
		w.lag = 1300 * time.Millisecond // so that the relay finds what a person has said, and push comes meanwhile
		w.reply("h0", "human0")
		w.send("m1")
		time.Sleep(1500 * time.Millisecond)
		if _, err := w.Store.Cancel(t.Context(), w.visitor, session, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		w.settle()
		w.page.whole(1, "human0")
		if m := w.page.messages["r.m1"]; m != nil {
			t.Errorf("of the cancelled reply the page has %+v", m)
		}
		if w.page.typing {
			t.Error("the page still shows that something is written")
		}
		w.send(parley.EntryID("m2"))
		time.Sleep(40 * time.Second)
		w.settle()
		w.told("r.m2", text, false)
	})
}

// TestTypingOfAFailure: that a reply is written is said before its end also where it fails
// at once, while the reply before it is still being told.
func TestTypingOfAFailure(t *testing.T) {
	steps := func(c agent.Conversation) []agenttest.Step {
		if len(c.Turns) > 1 {
			return []agenttest.Step{{Err: errors.New("down")}}
		}
		return agenttest.Say("Yes")
	}
	in(t, steps, func(w *world) {
		w.connect()
		w.gateway.takes = 300 * time.Millisecond
		w.send("m1")
		time.Sleep(800 * time.Millisecond)
		w.send("m2")
		time.Sleep(10 * time.Second)
		w.settle()
		typing := 0
		w.page.mu.Lock()
		defer w.page.mu.Unlock()
		for _, said := range w.page.log {
			switch said {
			case "typing true":
				typing++
			case "typing false":
				typing--
			}
		}
		if typing != 0 || len(w.page.messages["r.m2"].finals) != 1 {
			t.Errorf("the page was told %q", w.page.log)
		}
	})
}

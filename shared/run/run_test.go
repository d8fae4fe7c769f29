package run_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

func newEngine(t testing.TB, store *parley.Store, who agent.Agent) *run.Engine {
	t.Helper()
	e, err := run.New(run.Config{Store: store,
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return who, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// ask sends a message and reads its reply to the end.
func ask(ctx context.Context, e *run.Engine, c parley.Caller, r parley.SendRequest) (string, *run.End, parley.Sent, error) {
	r.Claim = true
	sent, claim, err := e.Send(ctx, c, r)
	if err != nil {
		return "", nil, sent, err
	}
	var text strings.Builder
	var end *run.End
	err = e.Stream(ctx, sent.Ref, 0, claim, func(ev run.Event) error {
		text.WriteString(ev.Text)
		end = ev.End
		return nil
	})
	return text.String(), end, sent, err
}

func TestReplyStreamsAndIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := parleytest.Store(t, parley.Config{})
		parleytest.Put(t, store, parleytest.Settings())
		const reply = "It costs what you use, and nothing while nobody asks."
		e := newEngine(t, store, agenttest.New(agenttest.Always(agenttest.Evenly(reply, 10, 6*time.Second)...)))
		c := parleytest.Visitor(t, store)
		text, end, sent, err := ask(t.Context(), e, c, parley.SendRequest{ID: "m1", Channel: parley.ChannelNative, Content: "What does it cost?"})
		if err != nil || text != reply || end == nil || end.Status != parley.StatusDone || end.Entry.Text != reply {
			t.Fatalf("ask = %q, %+v, %v", text, end, err)
		}
		text, _, again, err := ask(t.Context(), e, c, parley.SendRequest{ID: "m1", Channel: parley.ChannelNative, Content: "What does it cost?"})
		if err != nil || text != reply || !again.Replayed || again.Session.ID != sent.Session.ID {
			t.Fatalf("ask again = %q, %+v, %v", text, again, err)
		}
		text, _, _, err = ask(t.Context(), e, c, parley.SendRequest{ID: "m2", Session: sent.Session.ID, Content: "Sure?"})
		if err != nil || text != reply {
			t.Fatalf("second turn = %q, %v", text, err)
		}
		session, entries, next, err := store.Transcript(t.Context(), c, sent.Session.ID, parley.PageRequest{})
		if err != nil || len(entries) != 4 || next != "" || session.Run != nil {
			t.Fatalf("transcript = %+v, %d entries, %q, %v", session, len(entries), next, err)
		}
		list, _, err := store.Sessions(t.Context(), c, parley.PageRequest{})
		if err != nil || len(list) != 1 {
			t.Fatalf("sessions = %v, %v", list, err)
		}
	})
}

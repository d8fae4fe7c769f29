package run_test

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
)

// before has the table be written anew, with the code as it is: by a release, so that the
// next one is tried on what this one left.
var before = flag.Bool("before", false, "write testdata/before.json, what this release leaves in the table")

// left is what a release left: its table, and what somebody has who used it.
type left struct {
	At         time.Time
	Items      []table.Item
	PrivateKey string
	Visitor    parley.Caller
	Contact    parley.Caller
	Done       parley.SessionID // with a rating
	Half       parley.SessionID // whose reply was being written
	Asked      parley.SessionID // whose reply nobody had begun
	Entries    []string         // of Done
}

const beforeFile = "before.json"

// leave uses a table as a release does, up to the moment in which it is replaced.
func leave(t *testing.T) left {
	tbl := parleytest.Table(t)
	s := parleytest.Store(t, parley.Config{Table: tbl})
	parleytest.Put(t, s, parleytest.Settings())
	out := left{Visitor: parleytest.Visitor(t, s)}
	var err error
	if _, out.PrivateKey, err = s.AddPrivateKey(t.Context(), parleytest.Project, parley.PrivateKey{Name: "server", Scopes: parley.Scopes(), Test: true}); err != nil {
		t.Fatal(err)
	}
	out.Done = parleytest.Turn(t, s, out.Visitor, "m1", "").ID
	parleytest.Turn(t, s, out.Visitor, "m2", out.Done)
	if _, err := s.Rate(t.Context(), out.Visitor, out.Done, 5, "Quick"); err != nil {
		t.Fatal(err)
	}
	out.Entries = parleytest.Brief(parleytest.Entries(t, s, out.Visitor, out.Done))
	out.Contact = parleytest.Contact(t, s, parleytest.Visitor(t, s), "customer-7")
	half := parleytest.Send(t, s, out.Contact, parleytest.Say("m3", "", "Half?"))
	out.Half = half.Session.ID
	parleytest.Append(t, s, half.Claim, "An answer ")
	asked := parleytest.Say("m4", "", "Asked?")
	asked.Claim = false
	out.Asked = parleytest.Send(t, s, out.Contact, asked).Session.ID
	out.At = time.Now()
	for _, item := range parleytest.Everything(t, tbl) {
		out.Items = append(out.Items, item)
	}
	slices.SortFunc(out.Items, func(a, b table.Item) int {
		return slices.Compare([]string{a.String(table.PK), a.String(table.SK)}, []string{b.String(table.PK), b.String(table.SK)})
	})
	return out
}

// TestUpgrade goes on with the table that the release before has left, in the middle of
// two replies. Its keys are valid, its conversations are read and go on, and its replies
// end: the one with text as incomplete, the other is written now.
func TestUpgrade(t *testing.T) {
	if *before {
		synctest.Test(t, func(t *testing.T) {
			b, err := json.MarshalIndent(leave(t), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("testdata", beforeFile), append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		was, s := take(t)
		time.Sleep(time.Until(was.At.Add(2 * time.Minute))) // virtual; no lease is longer
		if _, err := s.PrivateKeyOf(t.Context(), was.PrivateKey); err != nil {
			t.Errorf("the private key: %v", err)
		}
		if got := parleytest.Brief(parleytest.Entries(t, s, was.Visitor, was.Done)); !slices.Equal(got, was.Entries) {
			t.Errorf("the conversation is %q, was %q", got, was.Entries)
		}
		if r, err := s.Rating(t.Context(), was.Visitor, was.Done); err != nil || r == nil || r.Score != 5 {
			t.Errorf("the rating is %+v, %v", r, err)
		}
		parleytest.Turn(t, s, was.Visitor, "m9", was.Done)

		answer := agenttest.New(func(agent.Conversation) []agenttest.Step {
			return []agenttest.Step{{Delta: "A new answer."}, {Result: &agent.Result{}}}
		})
		var engine *run.Engine
		engine, err := run.New(run.Config{Store: s, Log: slog.New(slog.DiscardHandler),
			Agent:   func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return answer, nil },
			Respond: func(ctx context.Context, ref parley.RunRef) error { return engine.Respond(ctx, ref) }})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if swept, err := s.Sweep(t.Context(), parley.SweepHelp{Revive: engine.Revive}); err != nil || swept.Failed > 0 {
				t.Errorf("sweep = %+v, %v", swept, err)
			}
			time.Sleep(time.Minute)
		}
		for session, want := range map[parley.SessionID]struct {
			text   string
			status parley.RunStatus
		}{was.Half: {"An answer ", parley.StatusIncomplete}, was.Asked: {"A new answer.", parley.StatusDone}} {
			entries := parleytest.Entries(t, s, was.Contact, session)
			if last := entries[len(entries)-1]; last.Author.Kind != parley.AuthorAI || last.Text != want.text || last.Status != want.status {
				t.Errorf("the reply is %+v, want %+v", last, want)
			}
		}
	})
}

// take fills a table with what was left.
func take(t *testing.T) (was left, s *parley.Store) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", beforeFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &was); err != nil {
		t.Fatal(err)
	}
	tbl := parleytest.Table(t)
	for _, item := range was.Items {
		for name, v := range item {
			if n, ok := v.(float64); ok { // a table holds whole numbers alone
				item[name] = int64(n)
			}
		}
		if err := tbl.Write(t.Context(), table.Put(item)); err != nil {
			t.Fatal(err)
		}
	}
	return was, parleytest.Store(t, parley.Config{Table: tbl})
}

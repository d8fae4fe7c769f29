package feed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/feed"
	"parley/functions/internal/functiontest"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
)

// TestWaits: the log says once when somebody begins to wait for a person, and once that
// it is over and how long it took, however the changes are cut into batches.
func TestWaits(t *testing.T) {
	k := functiontest.New(t, parley.Config{})
	caller, _ := k.Visitor(t)
	engine := k.Engine(t, agenttest.New(agenttest.Always(agenttest.Step{Delta: "A person will."}, agenttest.Step{Result: &agent.Result{Handover: true}})), nil)
	say := func(id parley.EntryID) {
		t.Helper()
		sent, claim, err := engine.Send(t.Context(), caller, parley.SendRequest{ID: id, Session: "help", Begins: id == "m1", Channel: parley.ChannelNative, Content: "Help!", Claim: true})
		if err == nil && claim != nil {
			err = engine.Stream(t.Context(), sent.Ref, 0, claim, func(run.Event) error { return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	say("m1")
	say("m2") // goes on waiting
	_, err := k.Store.Reply(t.Context(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op"}, parley.ReplyRequest{ID: "r1", Session: "help", Content: "Here I am."})
	if err != nil {
		t.Fatal(err)
	}
	changes, err := k.Table.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1000} {
		var log bytes.Buffer
		h := feed.New(feed.Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), Now: func() time.Time { return time.Now().Add(90 * time.Second) }})
		for batch := range slices.Chunk(changes, size) {
			records := make([]feed.Record, len(batch))
			for i, c := range batch {
				records[i] = feed.Record{ID: fmt.Sprint(c.Seq), Change: c.Change}
			}
			if failed := h(t.Context(), records); failed != "" {
				t.Fatalf("failed %q", failed)
			}
		}
		said := map[string]int{}
		for line := range strings.Lines(log.String()) {
			var l struct {
				Msg      string
				Project  parley.ProjectID
				WaitedMs int64
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Project != parleytest.Project {
				t.Fatalf("%s: %v", line, err)
			}
			if l.Msg == "wait over" && (l.WaitedMs < 90_000 || l.WaitedMs > 150_000) {
				t.Errorf("waited for %d ms", l.WaitedMs)
			}
			said[l.Msg]++
		}
		if want := map[string]int{"wait begun": 1, "wait over": 1}; !maps.Equal(said, want) {
			t.Errorf("batches of %d: logged %v, want %v", size, said, want)
		}
	}
}

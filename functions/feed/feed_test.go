package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/feed"
	"parley/functions/internal/emf"
	"parley/functions/internal/functiontest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// record makes a record of the head of a session, from one sequence to another; 0
// is no item.
func record(id, session string, from, to int64) feed.Record {
	head := func(n int64) table.Item {
		if n == 0 {
			return nil
		}
		return table.Item{table.PK: "demo/session/" + session, table.SK: "entry~", "rev": n}
	}
	return feed.Record{ID: id, Change: table.Change{Old: head(from), New: head(to)}}
}

func erased(r feed.Record) feed.Record {
	r.New["erased"] = true
	return r
}

// other is a change of something else.
func other(id string) feed.Record {
	return feed.Record{ID: id, Change: table.Change{New: table.Item{table.PK: "demo/session/a", table.SK: "entry/0000000001"}}}
}

func TestFeed(t *testing.T) {
	broken := feed.Record{ID: "x", Change: table.Change{New: table.Item{table.PK: "demo/x", table.SK: "entry~"}}}
	tests := []struct {
		name    string
		records []feed.Record
		fails   string // session whose bell fails
		rung    []string
		failed  string
		counts  string
	}{
		{"nothing", nil, "", nil, "", ""},
		{"one", []feed.Record{record("1", "a", 0, 1)}, "", []string{"a opened"}, "", "opened 1"},
		{"once for all changes of a session", []feed.Record{record("1", "a", 1, 2), other("2"), record("3", "b", 0, 1), record("4", "a", 2, 3)}, "",
			[]string{"a changed", "b opened"}, "", "opened 1 changed 1"},
		{"opened and changed is opened", []feed.Record{record("1", "a", 0, 1), record("2", "a", 1, 2)}, "", []string{"a opened"}, "", "opened 1"},
		{"erased is erased", []feed.Record{record("1", "a", 0, 1), erased(record("2", "a", 1, 2)), record("3", "b", 9, 0)}, "",
			[]string{"a erased", "b erased"}, "", "erased 2"},
		{"a failure repeats it and what follows", []feed.Record{record("1", "a", 0, 1), record("2", "b", 0, 1), record("3", "a", 1, 2), record("4", "c", 0, 1)}, "b",
			[]string{"a opened"}, "2", "opened 1"},
		{"the first fails", []feed.Record{other("1"), record("2", "a", 0, 1)}, "a", nil, "2", ""},
		{"what fails for ever is left out", []feed.Record{broken, record("2", "a", 0, 1)}, "", []string{"a opened"}, "", "opened 1"},
		{"an id from outside", []feed.Record{record("1", "a.2Fb", 0, 1)}, "", []string{"a/b opened"}, "", "opened 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var rung []string
			var metrics bytes.Buffer
			h := feed.New(feed.Config{Metrics: emf.Log{Writer: &metrics}, Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{
				func(_ context.Context, c feed.Change) error {
					if string(c.Session) == test.fails {
						return errors.New("bell")
					}
					return nil
				},
				func(_ context.Context, c feed.Change) error {
					if c.Project != "demo" {
						t.Errorf("project %q", c.Project)
					}
					rung = append(rung, fmt.Sprintf("%s %s", c.Session, c.Kind))
					return nil
				}}})
			if failed := h(t.Context(), test.records); failed != test.failed || !slices.Equal(rung, test.rung) {
				t.Errorf("rung %q, failed %q; want %q, %q", rung, failed, test.rung, test.failed)
			}
			if got := counts(t, metrics.String()); got != test.counts {
				t.Errorf("counts = %q, want %q", got, test.counts)
			}
		})
	}
}

// counts reads the metrics that were written.
func counts(t *testing.T, lines string) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(lines) {
		var m struct {
			Kind           string
			SessionChanges float64
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %v", m.Kind, m.SessionChanges))
	}
	return strings.Join(out, " ")
}

// TestStore: what the domain writes is understood, whatever a session's owner does.
func TestStore(t *testing.T) {
	k := functiontest.New(t, parley.Config{Bucket: nil})
	caller, _ := k.Visitor(t)
	kept := parleytest.Turn(t, k.Store, caller, "m1", "")
	gone := parleytest.Turn(t, k.Store, caller, "m2", "")
	if err := k.Store.Erase(t.Context(), caller, gone.ID); err != nil {
		t.Fatal(err)
	}
	changes, err := k.Table.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]feed.Record, len(changes))
	for i, c := range changes {
		records[i] = feed.Record{ID: fmt.Sprint(c.Seq), Change: c.Change}
	}
	got := map[parley.SessionID]feed.Kind{}
	h := feed.New(feed.Config{Bells: []feed.Bell{func(_ context.Context, c feed.Change) error {
		got[c.Session] = c.Kind
		return nil
	}}})
	if failed := h(t.Context(), records); failed != "" || len(got) != 2 || got[kept.ID] != feed.Opened || got[gone.ID] != feed.Erased {
		t.Errorf("failed %q, changes %v", failed, got)
	}
}

// TestStream: a batch in DynamoDB's notation.
func TestStream(t *testing.T) {
	const event = `{"Records":[
		{"eventID":"e1","eventName":"INSERT","dynamodb":{"SequenceNumber":"100","Keys":{"pk":{"S":"demo/session/a"},"sk":{"S":"entry~"}},
			"NewImage":{"pk":{"S":"demo/session/a"},"sk":{"S":"entry~"},"rev":{"N":"1"},"data":{"S":"{}"}}}},
		{"eventID":"e2","eventName":"MODIFY","dynamodb":{"SequenceNumber":"101",
			"OldImage":{"pk":{"S":"demo/session/b"},"sk":{"S":"entry~"},"rev":{"N":"1"}},
			"NewImage":{"pk":{"S":"demo/session/b"},"sk":{"S":"entry~"},"rev":{"N":"2"},"erased":{"BOOL":true}}}},
		{"eventID":"e3","eventName":"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},
			"dynamodb":{"SequenceNumber":"102","OldImage":{"pk":{"S":"demo/session/c"},"sk":{"S":"entry~"},"expires_at":{"N":"1800000000"}}}}]}`
	for _, fails := range []parley.SessionID{"", "b"} {
		var rung []string
		h := feed.New(feed.Config{Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{func(_ context.Context, c feed.Change) error {
			if c.Session == fails {
				return errors.New("bell")
			}
			rung = append(rung, fmt.Sprintf("%s %s", c.Session, c.Kind))
			return nil
		}}})
		var e feed.StreamEvent
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		out, err := h.Stream(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		want, wantRung := `{"batchItemFailures":[]}`, []string{"a opened", "b erased", "c erased"}
		if fails != "" {
			want, wantRung = `{"batchItemFailures":[{"itemIdentifier":"101"}]}`, []string{"a opened"}
		}
		if string(b) != want || !slices.Equal(rung, wantRung) {
			t.Errorf("answer %s, rung %q; want %s, %q", b, rung, want, wantRung)
		}
	}
}

// FuzzStream: an event is decoded or refused, and what it says handled.
func FuzzStream(f *testing.F) {
	f.Add(`{"Records":[{"dynamodb":{"SequenceNumber":"1","NewImage":{"pk":{"S":"demo/session/a"},"sk":{"S":"entry~"}}}}]}`)
	f.Add(`{"Records":[{"dynamodb":{"NewImage":{"pk":{"S":"demo/session/a.zz"},"sk":{"S":"entry~"}}}}]}`)
	f.Add(`{"Records":[{"dynamodb":{"NewImage":{"a":{"N":"1.5"},"b":{"SS":["x"]}}}}]}`)
	f.Add(`{"Records":[null,{}]}`)
	f.Fuzz(func(t *testing.T, event string) {
		var e feed.StreamEvent
		if json.Unmarshal([]byte(event), &e) != nil {
			return
		}
		h := feed.New(feed.Config{Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{func(context.Context, feed.Change) error { return nil }}})
		if out, err := h.Stream(t.Context(), e); err != nil || len(out.BatchItemFailures) != 0 {
			t.Errorf("%s = %+v, %v", event, out, err)
		}
	})
}

// TestStopped: a process that stops hands the change back without an error in its log,
// and one whose time is over with one.
func TestStopped(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	late, end := context.WithDeadline(t.Context(), time.Now())
	defer end()
	for ctx, logged := range map[context.Context]bool{stopped: false, late: true} {
		var log bytes.Buffer
		handle := feed.New(feed.Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Bells: []feed.Bell{func(ctx context.Context, _ feed.Change) error { return ctx.Err() }}})
		failed := handle(ctx, []feed.Record{record("1", "a", 0, 1)})
		if failed != "1" || strings.Contains(log.String(), "level=ERROR") != logged {
			t.Errorf("%v: failed at %q, log %q", ctx.Err(), failed, log.String())
		}
	}
}

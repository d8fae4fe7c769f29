package run_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// inHub is a message of a client that is connected to a session of its own and whose
// reply a responder writes.
func inHub(id parley.EntryID, session parley.SessionID, content string, begins bool) parley.SendRequest {
	return parley.SendRequest{ID: id, Session: session, Begins: begins, Channel: parley.ChannelChatHub, Content: content}
}

// TestHubMidReply: whatever ends a reply that a responder is writing ends it at once,
// and what was durable by then is what is stored. People and visitors go on from there.
func TestHubMidReply(t *testing.T) {
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	staff := parleytest.Operator()
	for _, test := range []struct {
		name string
		do   func(context.Context, stage, parley.SessionID) error
		// status is how the reply ended.
		status parley.RunStatus
		// open says that the visitor may go on.
		open bool
	}{
		{"takeover", func(ctx context.Context, s stage, id parley.SessionID) error {
			return s.store.TakeOver(ctx, staff, id, by)
		},
			parley.StatusTakenOver, true},
		{"a person's answer", func(ctx context.Context, s stage, id parley.SessionID) error {
			_, err := s.store.Reply(ctx, staff, by, parley.ReplyRequest{ID: "r1", Session: id, Content: "Let me see"})
			return err
		}, parley.StatusTakenOver, true},
		{"cancel", func(ctx context.Context, s stage, id parley.SessionID) error {
			_, err := s.store.Cancel(ctx, s.visitor, id, "")
			return err
		}, parley.StatusCancelled, true},
		{"the visitor ends it", func(ctx context.Context, s stage, id parley.SessionID) error {
			_, err := s.store.End(ctx, s.visitor, id)
			return err
		}, parley.StatusCancelled, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
				s, ctx := newStage(t, tbl), context.Background()
				const id parley.SessionID = "hub"
				sent := parleytest.Send(t, s.store, s.visitor, inHub("m1", id, slowly, true))
				parleytest.Send(t, s.store, s.visitor, inHub("m2", id, plainly, false))
				written := make(chan error, 1)
				go func() { written <- s.engine.Respond(ctx, sent.Ref) }()
				time.Sleep(3 * time.Second) // in the middle of the text
				if err := test.do(ctx, s, id); err != nil {
					t.Fatal(err)
				}
				log, err := s.store.ReadLog(ctx, sent.Ref, 0, true)
				if err != nil {
					t.Fatal(err)
				}
				reply := answered(t, s, id, "m1")
				if reply.Status != test.status || reply.Text == "" || reply.Text != parley.Joined(log) || !strings.HasPrefix(answer(slowly), reply.Text) || reply.Text == answer(slowly) {
					t.Errorf("stored %q as %s, the log has %q", reply.Text, reply.Status, parley.Joined(log))
				}
				if err := <-written; err != nil {
					t.Errorf("respond = %v", err)
				}
				time.Sleep(time.Minute)
				if again := answered(t, s, id, "m1"); again.Text != reply.Text || again.Status != reply.Status {
					t.Errorf("a minute later %+v, was %+v", again, reply)
				}
				session, err := s.store.Session(ctx, staff, id)
				if err != nil || session.Run != nil || len(session.Queue) > 0 {
					t.Errorf("session = %+v, %v", session, err)
				}
				_, err = s.store.Send(ctx, s.visitor, inHub("m3", id, plainly, false))
				if code := parley.Code(err); test.open && err != nil || !test.open && code != "session_closed" {
					t.Errorf("a message after it = %v", err)
				}
				if !test.open || session.Holder == parley.HolderAI {
					return
				}
				if err := s.store.HandBack(ctx, staff, id, by); err != nil {
					t.Fatal(err)
				}
				next := parleytest.Send(t, s.store, s.visitor, inHub("m4", id, plainly, false))
				if err := s.engine.Respond(ctx, next.Ref); err != nil {
					t.Fatal(err)
				}
				if got := answered(t, s, id, "m4"); got.Text != answer(plainly) {
					t.Errorf("after it was handed back: %+v", got)
				}
			})
		})
	}
}

// answered is the entry that came of a message's run.
func answered(t *testing.T, s stage, id parley.SessionID, of parley.EntryID) parley.Entry {
	t.Helper()
	all := parleytest.Entries(t, s.store, parleytest.Operator(), id)
	at := slices.IndexFunc(all, func(e parley.Entry) bool { return e.Run != "" && e.Of == of })
	if at < 0 {
		t.Fatalf("nothing came of %s: %q", of, parleytest.Brief(all))
	}
	return all[at]
}

// TestHubTextsFitAFrame: a reply ends, and what people and visitors write is refused,
// where it would not fit into a frame of ChatHub, as text or as JSON.
func TestHubTextsFitAFrame(t *testing.T) {
	for name, test := range map[string]struct {
		piece string
		bytes int // of the reply
	}{
		"letters": {"abcdefghij", 20_000},
		"emoji":   {"😀", 20_000},
		"lines":   {"\n", 15_000},     // two bytes each
		"escapes": {"\x01\x02", 5000}, // six bytes each
		"mixed":   {`"quoted" `, 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
				s, ctx := newStage(t, tbl), context.Background()
				store := parleytest.Store(t, parley.Config{Table: tbl})
				long := strings.Repeat(test.piece, 40_000/len(test.piece))
				engine := newEngine(t, store, agenttest.New(func(agent.Conversation) []agenttest.Step {
					return []agenttest.Step{{Delta: long[:len(test.piece)*100]}, {Delta: long[len(test.piece)*100:]}}
				}))
				sent := parleytest.Send(t, s.store, s.visitor, inHub("m1", "hub", "Tell me all", true))
				if err := engine.Respond(ctx, sent.Ref); err != nil {
					t.Fatal(err)
				}
				reply := answered(t, s, "hub", "m1")
				if !reply.Truncated || !strings.HasPrefix(long, reply.Text) || !utf8.ValidString(reply.Text) || parley.EncodedBytes(reply.Text) > 30_000 ||
					len(reply.Text) > test.bytes || len(reply.Text) < test.bytes-20 {
					t.Errorf("a reply of %d bytes, %d as JSON, want %d: truncated %v", len(reply.Text), parley.EncodedBytes(reply.Text), test.bytes, reply.Truncated)
				}
			})
		})
	}
	parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) {
		s, ctx := newStage(t, tbl), context.Background()
		parleytest.Send(t, s.store, s.visitor, inHub("m1", "hub", "Hello", true))
		for n, text := range []string{strings.Repeat("x", parley.MaxMessageBytes+1), strings.Repeat("\n", 15_001)} {
			_, err := s.store.Send(ctx, s.visitor, inHub(parley.EntryID(fmt.Sprint("long", n)), "hub", text, false))
			if parley.Code(err) != "too_large" {
				t.Errorf("a message of %d bytes = %v", len(text), err)
			}
			_, err = s.store.Reply(ctx, parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman}, parley.ReplyRequest{ID: "r", Session: "hub", Content: text})
			if parley.Code(err) != "too_large" {
				t.Errorf("a person's message of %d bytes = %v", len(text), err)
			}
		}
		parleytest.Send(t, s.store, s.visitor, inHub("fits", "hub", strings.Repeat("\n", 15_000), false))
	})
}

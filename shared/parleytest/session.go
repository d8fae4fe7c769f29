package parleytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/shared/parley"
)

// Say returns a message that its sender will see answered itself.
func Say(id parley.EntryID, session parley.SessionID, content string) parley.SendRequest {
	return parley.SendRequest{ID: id, Session: session, Channel: parley.ChannelNative, Content: content, Claim: true}
}

// Send sends and must succeed.
func Send(t testing.TB, s *parley.Store, c parley.Caller, r parley.SendRequest) parley.Sent {
	t.Helper()
	sent, err := s.Send(context.Background(), c, r)
	if err != nil {
		t.Fatalf("send %s: %v", r.ID, err)
	}
	return sent
}

// Append adds chunks to the log of a claimed run, as its runner does.
func Append(t testing.TB, s *parley.Store, claim *parley.Claim, chunks ...string) {
	t.Helper()
	for _, text := range chunks {
		e := parley.LogEntry{N: claim.Next, By: claim.Epoch, Kind: parley.LogText, At: time.Now().UnixMilli(), Text: text}
		if err := s.Append(context.Background(), claim.Ref, e); err != nil {
			t.Fatalf("append to %s: %v", claim.Ref.Run, err)
		}
		claim.Next++
	}
}

// Reply answers a claimed run in chunks, the last of them with its end.
func Reply(t testing.TB, s *parley.Store, claim *parley.Claim, chunks ...string) parley.Ended {
	t.Helper()
	Append(t, s, claim, chunks[:len(chunks)-1]...)
	e := parley.End{Next: claim.Next, Of: claim.First.Of, Status: parley.StatusDone, Unflushed: chunks[len(chunks)-1]}
	for _, text := range chunks {
		e.Text += text
	}
	ended, err := s.EndRun(context.Background(), claim.Ref, nil, e)
	if err != nil {
		t.Fatalf("end %s: %v", claim.Ref.Run, err)
	}
	return ended
}

// Turn sends a message and answers it. It returns the session after it.
func Turn(t testing.TB, s *parley.Store, c parley.Caller, id parley.EntryID, session parley.SessionID) *parley.Session {
	t.Helper()
	sent := Send(t, s, c, Say(id, session, "question "+string(id)))
	return Reply(t, s, sent.Claim, "an answer to ", string(id)).Session
}

// Contact makes an anonymous visitor a contact's, by a signed external id. It
// returns the caller that the new token names.
func Contact(t testing.TB, s *parley.Store, c parley.Caller, external string) parley.Caller {
	t.Helper()
	got, err := s.Identify(context.Background(), parley.IdentifyRequest{Caller: c, Identity: &parley.Identity{External: external}})
	if err != nil {
		t.Fatalf("identify as %s: %v", external, err)
	}
	return parley.Caller{Project: c.Project, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact, Generation: got.Visitor.Generation}
}

// Sweep sweeps as the schedule does; the runs that are to be revived are returned.
func Sweep(t testing.TB, s *parley.Store) (parley.Swept, []parley.RunRef) {
	t.Helper()
	var dead []parley.RunRef
	swept, err := s.Sweep(context.Background(), parley.SweepHelp{Revive: func(_ context.Context, ref parley.RunRef) error {
		dead = append(dead, ref)
		return nil
	}})
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	return swept, dead
}

// Entries returns all entries of a session as the caller sees them.
func Entries(t testing.TB, s *parley.Store, c parley.Caller, id parley.SessionID) []parley.Entry {
	t.Helper()
	var all []parley.Entry
	cursor := ""
	for {
		_, page, next, err := s.Transcript(context.Background(), c, id, parley.PageRequest{Limit: parley.MaxPage, Cursor: cursor})
		if err != nil {
			t.Fatalf("transcript of %s: %v", id, err)
		}
		all = append(page, all...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

// Brief writes entries in one line each, for comparing: number, author or
// event, text, and how a run ended.
func Brief(entries []parley.Entry) []string {
	lines := make([]string, len(entries))
	for i, e := range entries {
		who := string(e.Author.Kind)
		if e.Event != "" {
			who = string(e.Event)
		}
		lines[i] = fmt.Sprintf("%d %s %q", e.Seq, who, e.Text)
		if e.Status != "" {
			lines[i] += " " + string(e.Status)
		}
	}
	return lines
}

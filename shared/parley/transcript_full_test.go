package parley_test

import (
	"context"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// TestFullTranscriptAfter: who has read a session gets what is new in it, for little,
// and is told when something of what was read has changed.
func TestFullTranscriptAfter(t *testing.T) {
	onBoth(t, func(s scene) {
		session := s.turn("m1")
		m := meter.New(meter.Config{Table: s.table})
		metered := s.over(m)
		after := func(what string, seq parley.Seq, news int, enough bool) parley.FullTranscript {
			s.Helper()
			out, ok, err := metered.FullTranscriptAfter(context.Background(), s.visitor, session.ID, session.Created, seq)
			if err != nil || ok != enough || ok && len(out.Entries) != news || out.Session == nil {
				s.Fatalf("%s: %d entries, enough %v, %v; want %d, %v", what, len(out.Entries), ok, err, news, enough)
			}
			return out
		}
		m.Reset()
		after("nothing new", 2, 0, true)
		if c := m.Counts(); c.ReadUnits() != 1.5 || c.WriteUnits() != 0 {
			s.Errorf("nothing new costs %g read and %d write units", c.ReadUnits(), c.WriteUnits())
		}
		after("all", 0, 2, true)
		after("more than there is", 3, 0, false)
		if _, ok, err := metered.FullTranscriptAfter(context.Background(), s.visitor, session.ID, session.Created-1, 2); ok || err != nil {
			s.Errorf("of a session that was there before: enough %v, %v", ok, err)
		}
		session = parleytest.Turn(s, s.store, s.visitor, "m2", session.ID)
		if _, err := s.store.Reply(context.Background(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op"},
			parley.ReplyRequest{ID: "note", Session: session.ID, Content: "a note", Internal: true}); err != nil {
			s.Fatal(err)
		}
		out := after("a turn and a note", 2, 2, true)
		if out.Session.Seq != 5 || out.Entries[1].Seq != 4 {
			s.Errorf("news = %+v up to %d", out.Entries, out.Session.Seq)
		}
		if _, err := s.store.Vote(context.Background(), s.visitor, session.ID, out.Entries[1].ID, parley.VoteUp); err != nil {
			s.Fatal(err)
		}
		after("an answer that was read has changed", 5, 0, false)
		after("one that was not", 3, 2, true)
		stranger := parleytest.Visitor(s, s.store)
		_, _, err := s.store.FullTranscriptAfter(context.Background(), stranger, session.ID, session.Created, 2)
		s.want("a stranger", err, "not_found")
		if err := s.store.BlockVisitor(context.Background(), s.visitor.Project, s.visitor.Visitor, true); err != nil {
			s.Fatal(err)
		}
		_, _, err = s.store.FullTranscriptAfter(context.Background(), s.visitor, session.ID, session.Created, 2)
		s.want("who is blocked", err, "blocked")
		if err := s.store.Erase(context.Background(), parleytest.Operator(), session.ID); err != nil {
			s.Fatal(err)
		}
		_, _, err = s.store.FullTranscriptAfter(context.Background(), parleytest.Operator(), session.ID, session.Created, 2)
		s.want("an erased session", err, "not_found")
	})
}

// torn is a table of which a query has an entry as it was, beside the one that
// amended it meanwhile: a query is no snapshot.
type torn struct {
	table.Table
	was table.Item
}

func (o torn) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := o.Table.Query(ctx, q)
	for i, item := range page.Items {
		if item.Key() == o.was.Key() {
			page.Items[i] = o.was
		}
	}
	return page, err
}

// TestFullTranscriptAfterTornQuery: news are not given as they were before other news
// amended them.
func TestFullTranscriptAfterTornQuery(t *testing.T) {
	onBoth(t, func(s scene) {
		session := s.turn("m1")
		entries := parleytest.Entries(s, s.store, parleytest.Operator(), session.ID)
		page, err := s.table.Query(context.Background(), table.Query{Partition: string(parleytest.Project) + "/session/" + string(session.ID),
			From: "entry/0000000002", To: "entry/0000000002", Limit: 1, Consistent: true})
		if err != nil || len(page.Items) != 1 {
			s.Fatalf("%+v, %v", page, err)
		}
		if _, err := s.store.Vote(context.Background(), s.visitor, session.ID, entries[1].ID, parley.VoteUp); err != nil {
			s.Fatal(err)
		}
		news, enough, err := s.over(torn{s.table, page.Items[0]}).FullTranscriptAfter(context.Background(), s.visitor, session.ID, session.Created, 1)
		if err != nil || !enough || len(news.Entries) != 2 || news.Entries[0].Vote != parley.VoteUp {
			s.Errorf("news = %+v, enough %v, %v", news.Entries, enough, err)
		}
	})
}

// outdated is a table of which a replica has an entry as it was.
type outdated struct {
	table.Table
	was table.Item
}

func (o outdated) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := o.Table.Query(ctx, q)
	for i, item := range page.Items {
		if !q.Consistent && item.Key() == o.was.Key() {
			page.Items[i] = o.was
		}
	}
	return page, err
}

// Get has no checkpoint yet.
func (o outdated) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	items, err := o.Table.Get(ctx, consistent, keys...)
	for i, key := range keys {
		if !consistent && err == nil && key.SK == "about" {
			items[i] = nil
		}
	}
	return items, err
}

// TestWholeOverOutdatedReplica: an entry is not shown as it was before another that
// is shown amended it, nor a checkpoint as it was before.
func TestWholeOverOutdatedReplica(t *testing.T) {
	onBoth(t, func(s scene) {
		session := s.turn("m1")
		entries := parleytest.Entries(s, s.store, parleytest.Operator(), session.ID)
		page, err := s.table.Query(context.Background(), table.Query{Partition: string(parleytest.Project) + "/session/" + string(session.ID),
			From: "entry/0000000002", To: "entry/0000000002", Limit: 1, Consistent: true})
		if err != nil || len(page.Items) != 1 {
			s.Fatalf("%+v, %v", page, err)
		}
		if _, err := s.store.Vote(context.Background(), s.visitor, session.ID, entries[1].ID, parley.VoteUp); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.Checkpoint(context.Background(), s.visitor, session.ID, []byte(`{"step":1}`)); err != nil {
			s.Fatal(err)
		}
		whole, err := s.over(outdated{s.table, page.Items[0]}).FullTranscript(context.Background(), s.visitor, session.ID, 1<<20)
		if err != nil || len(whole.Entries) != 4 || whole.Entries[1].Vote != parley.VoteUp || string(whole.About.Checkpoint) != `{"step":1}` {
			s.Errorf("whole = %+v, %v", whole, err)
		}
	})
}

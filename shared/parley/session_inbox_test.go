package parley_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// inbox returns the ids of all pages of a list.
func (s scene) inbox(r parley.InboxRequest, limit int) (ids []parley.SessionID) {
	s.Helper()
	r.Limit = limit
	for {
		items, next, err := s.store.Inbox(context.Background(), operatorNamed("ola"), r)
		if err != nil || len(items) > limit {
			s.Fatalf("inbox: %d items, %v", len(items), err)
		}
		for _, item := range items {
			ids = append(ids, item.Session.ID)
		}
		if next == "" {
			return ids
		}
		r.Cursor = next
	}
}

// TestInbox: each session is in the list of its state and in no other, the
// newest activity first, on any number of shards and pages.
func TestInbox(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		for _, shards := range []int{1, 3} {
			p := generous()
			p.InboxShards = shards
			parleytest.Put(s, s.store, p)
			await(time.Minute)
			id := func(name string) parley.SessionID {
				await(time.Second)
				return s.turn(parley.EntryID(fmt.Sprint(name, shards))).ID
			}
			ai, waiting, mine, bens := id("ai"), id("waiting"), id("mine"), id("ben")
			closed, resolved, spam, archived := id("closed"), id("resolved"), id("spam"), id("archived")
			claim := s.send(say(parley.EntryID(fmt.Sprint("help", shards)), waiting)).Claim
			for _, do := range []func() error{
				func() error {
					_, err := s.store.EndRun(ctx, claim.Ref, nil, parley.End{Next: 1, Of: claim.First.Of, Status: parley.StatusDone, Text: "wait", Unflushed: "wait", Handover: true})
					return err
				},
				func() error { return s.store.TakeOver(ctx, operatorNamed("ola"), mine, ola.Author()) },
				func() error { return s.store.TakeOver(ctx, operatorNamed("ben"), bens, human("Ben")) },
				func() error { return s.store.CloseNow(ctx, s.operator(), closed, human("me")) },
				func() error { return s.store.Resolve(ctx, s.operator(), resolved, human("me")) },
				func() error { return s.store.MarkSpam(ctx, s.operator(), spam, human("me")) },
				func() error { return s.store.Archive(ctx, s.operator(), archived, true) },
			} {
				await(time.Second)
				if err := do(); err != nil {
					s.Fatal(err)
				}
			}
			for _, list := range []struct {
				name    string
				request parley.InboxRequest
				want    []parley.SessionID
			}{
				{"open", parley.InboxRequest{}, []parley.SessionID{bens, mine, waiting, ai}},
				{"waiting", parley.InboxRequest{Holder: parley.HolderWaiting}, []parley.SessionID{waiting}},
				{"human", parley.InboxRequest{Holder: parley.HolderHuman}, []parley.SessionID{bens, mine}},
				{"ai", parley.InboxRequest{Holder: parley.HolderAI}, []parley.SessionID{ai}},
				{"mine", parley.InboxRequest{Operator: "ola"}, []parley.SessionID{mine}},
				{"nobody's", parley.InboxRequest{Operator: "cy"}, nil},
				{"closed", parley.InboxRequest{States: []parley.State{parley.StateClosed}}, []parley.SessionID{closed}},
				{"resolved", parley.InboxRequest{States: []parley.State{parley.StateResolved}}, []parley.SessionID{resolved}},
				{"spam", parley.InboxRequest{States: []parley.State{parley.StateSpam}}, []parley.SessionID{spam}},
				{"archived", parley.InboxRequest{States: []parley.State{"archived"}}, []parley.SessionID{archived}},
			} {
				for _, limit := range []int{1, 2, 100} {
					if got := s.inbox(list.request, limit); !slices.Equal(got, list.want) {
						s.Errorf("%d shards, %s by %d: %q, want %q", shards, list.name, limit, got, list.want)
					}
				}
			}
			// Everything goes, so that the next round begins with empty lists.
			for _, gone := range []parley.SessionID{ai, waiting, mine, bens, closed, resolved, spam, archived} {
				if err := s.store.Erase(ctx, s.operator(), gone); err != nil {
					s.Fatal(err)
				}
			}
		}
		for _, bad := range []struct {
			request parley.InboxRequest
			code    string
		}{
			{parley.InboxRequest{States: []parley.State{"new"}}, "invalid_field"},
			{parley.InboxRequest{Holder: "me"}, "invalid_field"},
			{parley.InboxRequest{Operator: "\x00"}, "invalid_field"},
			{parley.InboxRequest{PageRequest: parley.PageRequest{Limit: 101}}, "invalid_field"},
			{parley.InboxRequest{PageRequest: parley.PageRequest{Cursor: "%"}}, "invalid_cursor"},
		} {
			_, _, err := s.store.Inbox(ctx, s.operator(), bad.request)
			s.want(fmt.Sprintf("%+v", bad.request), err, bad.code)
		}
	})
}

// TestInboxShowsWhoAndWhere: whose a session is, where the visitor is, and what
// each operator has seen.
func TestInboxShowsWhoAndWhere(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		got, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: "demo"}, Name: "Ann", Email: "ann@shop.example"})
		if err != nil {
			s.Fatal(err)
		}
		ann := parley.Caller{Project: "demo", Visitor: got.Visitor.ID, Generation: got.Visitor.Generation}
		r := say("m", "")
		r.Page = parley.Page{URL: "https://shop.example/cart", Title: "Cart"}
		r.Metadata = map[string]string{"plan": "gold"}
		sent := parleytest.Send(s, s.store, ann, r)
		id := sent.Session.ID
		item := func(c parley.Caller) parley.InboxItem {
			s.Helper()
			items, _, err := s.store.Inbox(ctx, c, parley.InboxRequest{})
			if err != nil || len(items) != 1 {
				s.Fatalf("inbox = %+v, %v", items, err)
			}
			return items[0]
		}
		first := item(operatorNamed("ola"))
		if first.Person.Name != "Ann" || first.Person.Email != "ann@shop.example" || first.Person.Proven || first.Page != r.Page || first.Seen != 0 || !first.Unread() {
			s.Errorf("item = %+v", first)
		}
		for _, c := range []parley.Caller{operatorNamed("ola"), server} {
			if mark, err := s.store.MoveMark(ctx, c, id, parley.MarkSeen, 100); err != nil || mark.Upto != 1 {
				s.Errorf("seen = %+v, %v", mark, err)
			}
			if got := item(c); got.Seen != 1 || got.Unread() {
				s.Errorf("after it was seen: %+v", got)
			}
		}
		if got := item(operatorNamed("ben")); got.Seen != 0 || !got.Unread() {
			s.Errorf("another operator has seen it: %+v", got)
		}
		parleytest.Reply(s, s.store, sent.Claim, "An answer")
		if item(operatorNamed("ben")).Unread() {
			s.Error("an answer counts as unread")
		}
		if _, err := s.store.Rate(ctx, ann, id, 4, "good"); err != nil {
			s.Fatal(err)
		}
		if _, err := s.store.MoveMark(ctx, ann, id, parley.MarkSeen, 2); err != nil {
			s.Fatal(err)
		}
		if d, err := s.store.ReadSession(ctx, server, id, parley.PageRequest{}); err != nil || d.VisitorSeen != 2 {
			s.Errorf("the visitor has seen %d, %v, want 2", d.VisitorSeen, err)
		}
		signed, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: ann, Identity: &parley.Identity{External: "u1", Name: "Ann Lee", Email: "ann@lee.example"}})
		if err != nil {
			s.Fatal(err)
		}
		await(2 * time.Minute)
		parleytest.Sweep(s, s.store)
		if got := item(server); got.Person.Name != "Ann Lee" || !got.Person.Proven || got.Session.Owner.Contact != signed.Contact.ID {
			s.Errorf("item of a contact = %+v", got)
		}

		d, err := s.store.ReadSession(ctx, operatorNamed("ola"), id, parley.PageRequest{Limit: 2})
		if err != nil || d.Visitor == nil || d.Contact == nil || d.Rating == nil {
			s.Fatalf("detail = %+v, %v", d, err)
		}
		if d.Visitor.Name != "Ann" || d.Contact.External != "u1" || d.Rating.Score != 4 || d.Rating.Feedback != "good" || d.Seen != 1 ||
			d.About.Metadata["plan"] != "gold" || len(d.Entries) != 2 || d.Entries[1].Seq != 4 || d.Next == "" {
			s.Errorf("detail = %+v", d)
		}
		if d, err = s.store.ReadSession(ctx, server, id, parley.PageRequest{Limit: 2, Cursor: d.Next}); err != nil || len(d.Entries) != 2 || d.Entries[0].Seq != 1 || d.Next != "" {
			s.Errorf("page before = %+v, %v", d.Entries, err)
		}
	})
}

// TestRatingsList: every rating that stands, the newest first, page by page.
func TestRatingsList(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		var want []parley.SessionID
		for n := range 5 {
			id := s.turn(parley.EntryID(fmt.Sprint("m", n))).ID
			await(time.Second)
			s.rate(id, n+1, fmt.Sprint("so ", n))
			want = append(want, id)
		}
		await(time.Second)
		s.rate(want[1], 5, "better") // it moves to the front
		want = []parley.SessionID{want[1], want[4], want[3], want[2], want[0]}
		for _, limit := range []int{1, 2, 5, 100} {
			var got []parley.SessionID
			r := parley.PageRequest{Limit: limit}
			for {
				page, next, err := s.store.Ratings(ctx, server, r)
				if err != nil || len(page) > limit {
					s.Fatalf("%d ratings, %v", len(page), err)
				}
				for _, rated := range page {
					got = append(got, rated.Session)
				}
				if r.Cursor = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				s.Errorf("by %d: %q, want %q", limit, got, want)
			}
		}
		page, _, err := s.store.Ratings(ctx, server, parley.PageRequest{})
		if err != nil || page[0].Rating.Score != 5 || page[0].Rating.Feedback != "better" {
			s.Errorf("the newest is %+v, %v", page[0], err)
		}
		for _, cursor := range []string{"x", "eHl6", "eyJhIjoxLCJzIjoiIn0"} {
			_, _, err := s.store.Ratings(ctx, server, parley.PageRequest{Cursor: cursor})
			s.want("cursor "+cursor, err, "invalid_cursor")
		}
	})
}

// TestFigures: sessions are counted once, under the day on which they began,
// however often they are looked at; days follow one another without a gap.
func TestFigures(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		first := time.Now()
		await(23*time.Hour + 59*time.Minute + 30*time.Second)
		parleytest.Sweep(s, s.store)
		late := s.turn("late").ID // the sweep sees it the day after
		for range 4 {
			await(time.Minute)
			parleytest.Sweep(s, s.store)
		}
		parleytest.Turn(s, s.store, s.visitor, "again", late)
		early := s.turn("early").ID
		s.rate(early, 4, "")
		for range 4 {
			await(time.Minute)
			parleytest.Sweep(s, s.store)
			parleytest.Sweep(s, s.store)
		}
		if err := s.store.Erase(ctx, s.visitor, late); err != nil {
			s.Fatal(err)
		}
		days, err := s.store.Figures(ctx, s.operator(), first, time.Now().Add(24*time.Hour))
		if err != nil || len(days) != 3 {
			s.Fatalf("figures = %+v, %v", days, err)
		}
		want := []parley.Figures{{Day: "2000-01-01", Sessions: 1}, {Day: "2000-01-02", Sessions: 1, Ratings: parley.Totals{4: 1}}, {Day: "2000-01-03"}}
		if !slices.Equal(days, want) {
			s.Errorf("figures = %+v, want %+v", days, want)
		}
		if sum := parley.Sum(days); sum.Sessions != 2 || sum.Ratings[4] != 1 {
			s.Errorf("sum = %+v", sum)
		}
		_, err = s.store.Figures(ctx, s.operator(), time.Now(), first)
		s.want("days the wrong way", err, "invalid_field")
		_, err = s.store.Figures(ctx, s.operator(), first, first.Add(parley.MaxFigureDays*24*time.Hour))
		s.want("too many days", err, "invalid_field")
		if days, err = s.store.Figures(ctx, s.operator(), first, first.Add((parley.MaxFigureDays-1)*24*time.Hour)); err != nil || len(days) != parley.MaxFigureDays {
			s.Errorf("%d days, %v", len(days), err)
		}
	})
}

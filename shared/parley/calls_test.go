package parley_test

import (
	"context"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// call is something that a store can be asked for in the scene of TestUnreadable.
type call func(ctx context.Context, h helped, s *parley.Store) error

// reading are calls that read, by name. Each can be made again after it failed.
var reading = map[string]call{
	"transcript": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, _, err := s.Transcript(ctx, h.contact, h.session.ID, parley.PageRequest{Limit: 10})
		return err
	},
	"news": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Since(ctx, h.contact, h.session.ID, 0)
		return err
	},
	"full transcript": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.FullTranscript(ctx, h.contact, h.session.ID, 1e6)
		return err
	},
	"sessions": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.Sessions(ctx, h.contact, parley.PageRequest{Limit: 10})
		return err
	},
	"sessions with metadata": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.SessionsMatching(ctx, h.contact, parley.PageRequest{Limit: 10},
			parley.SessionFilter{Metadata: map[string]string{"plan": "gold"}})
		return err
	},
	"inbox": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.Inbox(ctx, h.operator(), parley.InboxRequest{PageRequest: parley.PageRequest{Limit: 10}})
		return err
	},
	"session of the inbox": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ReadSession(ctx, h.operator(), h.session.ID, parley.PageRequest{Limit: 10})
		return err
	},
	"by number": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ByNumber(ctx, h.operator(), h.session.ID.Number())
		return err
	},
	"ratings": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.Ratings(ctx, h.operator(), parley.PageRequest{Limit: 10})
		return err
	},
	"rating": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Rating(ctx, h.contact, h.session.ID)
		return err
	},
	"totals": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Totals(ctx, parleytest.Project, time.Now())
		return err
	},
	"figures": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Figures(ctx, h.operator(), time.Now(), time.Now())
		return err
	},
	"reviews": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Reviews(ctx, h.operator(), h.session.ID)
		return err
	},
	"what was said": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Said(ctx, parleytest.Project, h.session.ID, h.upto, 10)
		return err
	},
	"marks": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Marks(ctx, h.contact, h.session.ID)
		return err
	},
	"operators": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Operators(ctx, parleytest.Project)
		return err
	},
	"operator": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PeekOperator(ctx, parleytest.Project, "op")
		return err
	},
	"private keys": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PrivateKeys(ctx, parleytest.Project)
		return err
	},
	"private key": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PrivateKeyOf(ctx, h.secret)
		return err
	},
	"sweep": func(ctx context.Context, h helped, s *parley.Store) error {
		swept, err := s.Sweep(ctx, parley.SweepHelp{Revive: nothingToRevive,
			Wake: func(context.Context, parley.Following) error { return nil }})
		if swept.Failed > 0 { // and is done again
			err = parley.ErrUnavailable
		}
		return err
	},
	"mail that is due": func(ctx context.Context, h helped, s *parley.Store) error {
		h.session.Unmet = 1
		_, err := s.MailDue(ctx, parley.Stretch{Session: h.session, Entries: []parley.Entry{
			{Seq: h.upto, Author: human("Ola"), Text: "Here I am."}}})
		return err
	},
	"link of a file": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.FileLink(ctx, h.file, s.FileSecret(parleytest.Project, h.file))
		return err
	},
	"settings": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Settings(ctx, parleytest.Project)
		return err
	},
	"webhooks that were given up": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.FailedHooks(ctx, h.operator(), h.hook, parley.PageRequest{Limit: 10})
		return err
	},
	"state of a webhook": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.HookState(ctx, parleytest.Project, h.session.ID, h.hook)
		return err
	},
	"contact": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ContactOf(ctx, h.contact)
		return err
	},
	"vouched": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Vouched(ctx, h.session)
		return err
	},
	"told": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Told(ctx, parleytest.Project, h.session.ID, parley.WaySlack, 1)
		return err
	},
	"log of a run": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ReadLog(ctx, h.m1(), 0, true)
		return err
	},
	"place of a run": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.RunPlace(ctx, h.m1())
		return err
	},
	"outcome": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Outcome(ctx, h.m1(), 0)
		return err
	},
	"run": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.OpenRun(ctx, h.contact, h.session.ID, "m1")
		return err
	},
	"context of a run": func(ctx context.Context, h helped, s *parley.Store) error {
		c := h.asked()
		_, err := s.ReadRun(ctx, c.Ref, c.First.Seq)
		return err
	},
	"token": func(ctx context.Context, h helped, s *parley.Store) error { return s.CheckVisitor(ctx, h.contact) },
	"abouts": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Abouts(ctx, []*parley.Session{h.session})
		return err
	},
	"glimpses": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Glimpses(ctx, h.operator(), []*parley.Session{h.session})
		return err
	},
	"owners": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Owners(ctx, h.operator(), []*parley.Session{h.session})
		return err
	},
	"recent sessions": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Recent(ctx, h.bare)
		return err
	},
	"newest entries": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.NewestEntries(ctx, h.contact, h.session.ID, 3, func(parley.Entry) bool { return true })
		return err
	},
	"news of a page": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.News(ctx, h.contact, h.session.ID, 0, h.upto, true)
		return err
	},
	"news with typing": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.SinceWithTyping(ctx, h.contact, h.session.ID, 0)
		return err
	},
	"a look": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Peek(ctx, h.contact, h.session.ID, 0)
		return err
	},
	"a look with typing": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PeekWithTyping(ctx, h.contact, h.session.ID, 0)
		return err
	},
	"page": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.PeekPage(ctx, h.contact, h.session.ID, true)
		return err
	},
	"session": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Session(ctx, h.contact, h.session.ID)
		return err
	},
	"entry": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.EntryAt(ctx, parleytest.Project, h.session.ID, 1)
		return err
	},
	"entries after": func(ctx context.Context, h helped, s *parley.Store) error {
		for _, err := range s.EntriesAfter(ctx, h.session, 0) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"entries before": func(ctx context.Context, h helped, s *parley.Store) error {
		for _, err := range s.EntriesBefore(ctx, h.session, h.upto, 10) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"what came along": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Extras(ctx, h.m1(), "m1")
		return err
	},
	"project by key": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ProjectByKey(ctx, parleytest.Settings().PublicKeys[0])
		return err
	},
	"one operator": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Operator(ctx, parleytest.Project, "op")
		return err
	},
	"whether there is a review": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.HasReview(ctx, parleytest.Project, h.session.ID, 1)
		return err
	},
	"how far it was followed": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, _, err := s.Followed(ctx, h.following())
		return err
	},
	"whether it stands": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Stands(ctx, parleytest.Project, h.session.ID)
	},
	"connections of a visitor": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.VisitorConnections(ctx, parleytest.Project, h.bare.Visitor)
		return err
	},
	"connections of the team": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.TeamConnections(ctx, parleytest.Project)
		return err
	},
	"connection": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ConnectionOf(ctx, h.tab("t1=").Ref)
		return err
	},
	"console": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ConsoleOf(ctx, h.console("c1=").Ref)
		return err
	},
	"profile": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Profile(ctx, h.bare)
		return err
	},
	"what a page has had kept": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Kept(ctx, h.bare)
		return err
	},
	"holder of an id": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.BareCaller(ctx, anyone(), h.bare.Visitor)
		return err
	},
	"vouched contact": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.VouchedContact(ctx, h.operator(), h.id)
		return err
	},
	"proven contact": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Proven(ctx, h.contact, parley.Identity{External: "ann"})
		return err
	},
	"full transcript of news": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.FullTranscriptAfter(ctx, h.contact, h.session.ID, h.session.Created, 1)
		return err
	},
	"look": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.Look(ctx, parleytest.Project, h.session.ID)
		return err
	},
	"silent run": func(ctx context.Context, h helped, s *parley.Store) error {
		c := h.asked()
		await(parley.Lease)
		_, _, err := s.Look(ctx, parleytest.Project, c.Ref.Session)
		return err
	},
	"note who it is again": func(ctx context.Context, h helped, s *parley.Store) error {
		if _, _, err := h.store.NoteIdentified(ctx, h.bare, h.opened, "noted"); err != nil {
			return err
		}
		_, e, err := s.NoteIdentified(ctx, h.bare, h.opened, "noted")
		if err == nil && e.Event != parley.EventIdentified {
			h.Errorf("what was noted before = %+v", e)
		}
		return err
	},
	"open a page": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.OpenPage(ctx, h.contact, h.session.ID)
		return err
	},
}

// undamaged are calls that read items whose data they have no use for, or that can be
// made once only.
var undamaged = map[string]bool{"full transcript": true, "full transcript of news": true, "state of a webhook": true, "whether there is a review": true,
	"what a page has had kept": true, "console": true, "end of a run": true, "keep": true, "block": true, "mark": true, "cancel": true, "link of a mail": true,
	"erase a contact": true, "erase a session": true, "erase a visitor": true, "open a link": true, "remove an operator": true}

// done says of calls from which read or write on they have done what they were asked
// for: what comes then, counting it and telling others, may fail and is forgiven.
var done = struct{ reads, writes map[string]int }{
	map[string]int{"cancel": 4, "end of a run": 3, "erase a contact": 3, "erase a session": 4, "erase a visitor": 1},
	map[string]int{"track": 1, "begin": 2, "close": 2, "erase a contact": 2, "erase a session": 2, "erase a visitor": 2, "send": 2,
		"keep": 3, "rate": 3, "rate once": 3, "checkpoint": 3, "feedback": 3, "note who it is": 3, "vote": 3},
}

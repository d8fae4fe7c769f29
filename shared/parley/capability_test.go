package parley_test

import (
	"context"
	"slices"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// bearer is who holds nothing but the id of a session.
func (s scene) bearer(id parley.SessionID) parley.Caller {
	return parley.Caller{Project: parleytest.Project, Visitor: s.store.CapabilityVisitor(parleytest.Project, id), Capability: true,
		Channel: parley.ChannelNative}
}

// TestSessionOfTheClientsName: the first message under an id that the client
// chose begins the session, the next ones go on with it, and reading makes nothing.
func TestSessionOfTheClientsName(t *testing.T) {
	onBoth(t, func(s scene) {
		c := s.bearer("their/own id")
		s.unchanged("reading", func() {
			_, err := s.store.Session(context.Background(), c, "their/own id")
			s.want("reading an unknown session", err, "not_found")
		})
		first := parleytest.Send(s, s.store, c, say("m1", "their/own id"))
		if first.Session.ID != "their/own id" || first.Claim == nil || first.Session.Owner.Visitor != c.Visitor {
			s.Fatalf("first = %+v", first)
		}
		s.reply(first.Claim, "an answer")
		again := parleytest.Send(s, s.store, c, say("m1", "their/own id"))
		if !again.Replayed || again.Ref.Run != "m1" {
			s.Errorf("the first again = %+v", again)
		}
		s.reply(parleytest.Send(s, s.store, c, say("m2", "their/own id")).Claim, "another")
		want := []string{`1 user "question m1"`, `2 ai "an answer" done`, `3 user "question m2"`, `4 ai "another" done`}
		if got := s.brief("their/own id"); !slices.Equal(got, want) {
			s.Errorf("transcript = %q", got)
		}
	})
}

// TestNamedSessionIsNobodyElses: an id opens only a session that was begun by
// its bearer, and no token of a visitor opens that one.
func TestNamedSessionIsNobodyElses(t *testing.T) {
	onBoth(t, func(s scene) {
		native := s.turn("opening").ID
		s.unchanged("a stranger", func() {
			_, err := s.store.Send(context.Background(), s.bearer(native), say("m", native))
			s.want("a message to another visitor's session by its id", err, "session_id_conflict")
		})
		_, err := s.store.Session(context.Background(), s.bearer(native), native)
		s.want("reading it", err, "not_found")
		s.want("closing it", s.store.Close(context.Background(), s.bearer(native), native), "not_found")
		s.reply(parleytest.Send(s, s.store, s.bearer("named"), say("n", "named")).Claim, "hi")
		_, err = s.store.Send(context.Background(), s.visitor, say("m", "named"))
		s.want("a visitor's message to a named session", err, "not_found")
		elsewhere := s.bearer("named")
		elsewhere.Visitor = s.store.CapabilityVisitor("other", "named")
		_, err = s.store.Session(context.Background(), elsewhere, "named")
		s.want("the bearer in another project", err, "not_found")
	})
}

// TestFileForNothing: who holds the id of a session that nobody has begun may upload
// nothing, in neither way.
func TestFileForNothing(t *testing.T) {
	onBoth(t, func(s scene) {
		c := s.bearer("nothing")
		s.unchanged("a file", func() {
			_, err := s.store.PutUpload(context.Background(), c, "nothing", "a.png", "image/png", []byte(png))
			s.want("a file for the session", err, "not_found")
			_, err = s.store.PutUpload(context.Background(), c, "", "a.png", "image/png", []byte(png))
			s.want("a file for its visitor", err, "not_found")
			_, err = s.store.GrantUpload(context.Background(), c, "a.png", "image/png", 8)
			s.want("a grant", err, "not_found")
			s.want("its standing", s.store.CheckVisitor(context.Background(), c), "not_found")
		})
	})
}

// TestNamedSessionOfAnotherChannel: the id of a session opens it in the dialect alone
// that it is held in. Elsewhere it is unknown, whoever signed for the caller.
func TestNamedSessionOfAnotherChannel(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		channels := []parley.Channel{parley.ChannelHissuno, parley.ChannelOpenCX}
		for i, channel := range channels {
			id := parley.SessionID("of " + channel)
			mine := s.bearer(id)
			mine.Channel = channel
			mine.Contact = parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, string(channel)).Contact
			r := say(parley.EntryID("m "+channel), id)
			r.Channel = channel
			s.reply(parleytest.Send(s, s.store, mine, r).Claim, "hi")
			answer := parleytest.Entries(s, s.store, mine, id)[1].ID
			other := mine
			other.Channel = channels[1-i]
			unsigned := other
			unsigned.Contact = ""
			for name, c := range map[string]parley.Caller{"unsigned": unsigned, "signed": other} {
				s.unchanged(name, func() {
					_, err := s.store.Session(ctx, c, id)
					s.want("reading", err, "not_found")
					_, err = s.store.FullTranscript(ctx, c, id, 1<<20)
					s.want("reading it whole", err, "not_found")
					_, _, err = s.store.FullTranscriptAfter(ctx, c, id, 0, 0)
					s.want("reading on", err, "not_found")
					_, err = s.store.OpenRun(ctx, c, id, parley.RunID(r.ID))
					s.want("reading the run", err, "not_found")
					_, err = s.store.Vote(ctx, c, id, answer, parley.VoteUp)
					s.want("a vote", err, "not_found")
					more := r
					more.ID, more.Channel, more.Begun = "more", c.Channel, true
					_, err = s.store.Send(ctx, c, more)
					s.want("a message", err, "not_found")
					more.Begun = false
					_, err = s.store.Send(ctx, c, more)
					s.want("a message that would begin it", err, "session_id_conflict")
					_, err = s.store.Begin(ctx, c, parley.BeginRequest{ID: id, Channel: c.Channel})
					s.want("beginning it", err, "session_id_conflict")
					s.want("closing it", s.store.Close(ctx, c, id), "not_found")
					_, err = s.store.PutUpload(ctx, c, id, "a.png", "image/png", []byte(png))
					s.want("a file", err, "not_found")
				})
			}
			if _, err := s.store.Vote(ctx, mine, id, answer, parley.VoteUp); err != nil {
				s.Errorf("the holder's vote: %v", err)
			}
			for range 4 {
				if _, err := s.store.TakeSeat(ctx, unsigned); err != nil {
					s.Fatal(err)
				}
			}
			unsigned.Channel = channel
			if _, err := s.store.TakeSeat(ctx, unsigned); err != nil {
				s.Errorf("the holder's seat: %v", err)
			}
		}
	})
}

// TestNamedSessionIsBoundToContact: the first signature binds the session, and
// another person's is refused; without one the id is enough.
func TestNamedSessionIsBoundToContact(t *testing.T) {
	onBoth(t, func(s scene) {
		anonymous, ann, ben := s.bearer("named"), s.bearer("named"), s.bearer("named")
		ann.Contact, ben.Contact = parleytest.Contact(s, s.store, s.visitor, "ann").Contact, "cben"
		s.reply(parleytest.Send(s, s.store, anonymous, say("m1", "named")).Claim, "hi")
		bound := parleytest.Send(s, s.store, ann, say("m2", "named"))
		s.reply(bound.Claim, "hi Ann")
		if o := bound.Session.Owner; o.Contact != ann.Contact || !o.Proven || o.Visitor != anonymous.Visitor {
			s.Errorf("owner = %+v", o)
		}
		s.unchanged("another person", func() {
			_, err := s.store.Send(context.Background(), ben, say("m3", "named"))
			s.want("another person's message", err, "other_contact")
		})
		s.reply(parleytest.Send(s, s.store, anonymous, say("m4", "named")).Claim, "hi again")
		of := s.visitor
		of.Contact, of.Generation = ann.Contact, 2
		list, _, err := s.store.Sessions(context.Background(), of, parley.PageRequest{})
		if err != nil || len(list) != 1 || list[0].ID != "named" {
			s.Errorf("Ann's sessions = %+v, %v", list, err)
		}
	})
}

// TestBearerCanBeBlocked: an operator who blocks the visitor of a named session
// stops everything under that id, and so does a limit of its rate.
func TestBearerCanBeBlocked(t *testing.T) {
	onBoth(t, func(s scene) {
		c := s.bearer("named")
		s.reply(parleytest.Send(s, s.store, c, say("m1", "named")).Claim, "hi")
		if err := s.store.BlockVisitor(context.Background(), c.Project, c.Visitor, true); err != nil {
			s.Fatal(err)
		}
		s.unchanged("a blocked bearer", func() {
			_, err := s.store.Send(context.Background(), c, say("m2", "named"))
			s.want("its message", err, "blocked")
			_, err = s.store.Session(context.Background(), c, "named")
			s.want("its reading", err, "blocked")
			s.want("its closing", s.store.Close(context.Background(), c, "named"), "blocked")
		})
	})
}

// TestBegin: an empty session can be begun, once under one id.
func TestBegin(t *testing.T) {
	onBoth(t, func(s scene) {
		request := parley.BeginRequest{ID: "chosen", Channel: parley.ChannelOpenCX, Metadata: map[string]string{"plan": "pro"}}
		begin := func(c parley.Caller, r parley.BeginRequest) (*parley.Session, error) {
			return s.store.Begin(context.Background(), c, r)
		}
		c, stranger := s.visitor, parleytest.Visitor(s, s.store)
		c.External = "their id"
		session, err := begin(c, request)
		if err != nil || session.ID != "chosen" || session.Seq != 0 || session.Owner.External != "their id" || session.Channel != parley.ChannelOpenCX {
			s.Fatalf("begin = %+v, %v", session, err)
		}
		if _, spent := s.outcome(session.ID); spent != 0 {
			s.Errorf("an empty session cost %d tokens", spent)
		}
		s.unchanged("beginning again", func() {
			if again, err := begin(c, request); err != nil || again.Created != session.Created {
				s.Errorf("begin again = %+v, %v", again, err)
			}
			_, err := begin(stranger, request)
			s.want("another visitor's begin", err, "session_id_conflict")
		})
		s.reply(s.send(say("m", "chosen")).Claim, "hi")
		if other, err := begin(s.visitor, parley.BeginRequest{Channel: parley.ChannelNative}); err != nil || other.ID == "chosen" || other.ID == "" {
			s.Errorf("begin without an id = %+v, %v", other, err)
		}
		if list, _, err := s.store.Sessions(context.Background(), s.visitor, parley.PageRequest{}); err != nil || len(list) != 2 {
			s.Errorf("sessions = %+v, %v", list, err)
		}
		_, err = begin(s.visitor, parley.BeginRequest{ID: "bad\x00"})
		s.want("a bad id", err, "invalid_field")
		_, err = begin(s.visitor, parley.BeginRequest{Agent: "nobody"})
		s.want("an unknown agent", err, "invalid_field")
	})
}

// TestBearerBegins: who holds nothing but an id begins a session by Begin, within
// its address's limit of visitors, and by a message only where the dialect lets it.
func TestBearerBegins(t *testing.T) {
	onBoth(t, func(s scene) {
		settings := generous()
		settings.Budgets.IdentifyPerHour = 1
		parleytest.Put(s, s.store, settings)
		c := s.bearer("named")
		c.Address, c.Channel = "192.0.2.1", parley.ChannelOpenCX
		r := say("m", "named")
		r.Begun = true
		s.unchanged("a message to a session that nobody has begun", func() {
			_, err := s.store.Send(context.Background(), c, r)
			s.want("it", err, "not_found")
		})
		begin := func(c parley.Caller, id parley.SessionID) error {
			_, err := s.store.Begin(context.Background(), c, parley.BeginRequest{ID: id, Channel: parley.ChannelOpenCX})
			return err
		}
		if err := begin(c, "named"); err != nil {
			s.Fatal(err)
		}
		s.reply(parleytest.Send(s, s.store, c, r).Claim, "hi")
		other := s.bearer("other")
		other.Address = c.Address
		s.want("another session from this address", begin(other, "other"), "identify_limit")
		if other.Address = "192.0.2.2"; begin(other, "other") != nil {
			s.Error("no session from another address")
		}
	})
}

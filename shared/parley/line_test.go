package parley_test

import (
	"context"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/socket"
)

// chathub is a connection of the scene's visitor as its dialect makes it.
func (s scene) chathub(id string, session parley.SessionID) parley.Connection {
	s.Helper()
	c := parley.Connection{Ref: socket.Ref{API: "chathub", ID: id}, Project: parleytest.Project, Channel: parley.ChannelChatHub,
		Caller: s.visitor, Session: session, Language: "de", Metadata: map[string]string{"plan": "gold"},
		Token: s.store.TokenHash(parleytest.Project, "guide", "user_1")}
	return c
}

func (s scene) connect(c parley.Connection) parley.Connection {
	s.Helper()
	if err := s.store.Connect(context.Background(), c); err != nil {
		s.Fatalf("connect %s: %v", c.ID, err)
	}
	got, err := s.store.ConnectionOf(context.Background(), c.Ref)
	if err != nil {
		s.Fatalf("connection %s: %v", c.ID, err)
	}
	return got
}

func (s scene) ready(c parley.Connection) parley.Line {
	s.Helper()
	was, err := s.store.Attach(context.Background(), c)
	if err != nil {
		s.Fatalf("attach %s: %v", c.ID, err)
	}
	return was
}

func (s scene) line(id parley.SessionID) parley.Line {
	s.Helper()
	l, err := s.store.LineOf(context.Background(), parleytest.Project, id)
	if err != nil {
		s.Fatalf("line: %v", err)
	}
	return l
}

// TestReconnect: a client that drops and comes back goes on where it was, and what
// its last connection had been given of a reply is known.
func TestReconnect(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		first := s.connect(s.chathub("one=", "h1"))
		if first.Ready || first.Language != "de" || first.Metadata["plan"] != "gold" || first.Caller.Visitor != s.visitor.Visitor || first.Session != "h1" ||
			first.Caller.Address != "" {
			s.Errorf("connection = %+v", first)
		}
		if l := s.line("h1"); l.Connection.ID != "" {
			s.Errorf("line before the first record = %+v", l)
		}
		if was := s.ready(first); was.Connection.ID != "" {
			s.Errorf("line before = %+v", was)
		}
		if got, err := s.store.ConnectionOf(ctx, first.Ref); err != nil || !got.Ready {
			s.Errorf("attached = %+v, %v", got, err)
		}
		if to, ok := s.line("h1").Current(); !ok || to != first.Ref {
			s.Errorf("current = %v, %v", to, ok)
		}
		s.want("disconnect", s.store.Disconnect(ctx, first.Ref, false), "")
		if _, ok := s.line("h1").Current(); ok {
			s.Error("somebody is there")
		}
		s.want("park", s.store.Park(ctx, parley.RunRef{Project: parleytest.Project, Session: "h1", Run: "m1"}, first.Ref, 42), "")
		id, l, err := s.store.Newest(ctx, parleytest.Project, first.Token)
		if err != nil || id != "h1" || l.Left.IsZero() || l.Meant {
			s.Errorf("newest = %v, %+v, %v", id, l, err)
		}
		second := s.chathub("two=", id)
		second.After = l.Connection
		second = s.connect(second)
		if was := s.ready(second); was.Run != "m1" || was.Bytes != 42 || was.Connection != first.Ref {
			s.Errorf("line = %+v", was)
		}
		err = s.store.Park(ctx, parley.RunRef{Project: parleytest.Project, Session: "h1", Run: "m1"}, first.Ref, 50)
		s.want("park for who has left", err, "session_connected")
		s.want("a late disconnect", s.store.Disconnect(ctx, first.Ref, false), "")
		if to, ok := s.line("h1").Current(); !ok || to != second.Ref {
			s.Errorf("current = %v, %v", to, ok)
		}
		if l := s.line("h1"); l.Run != "m1" || l.Bytes != 42 {
			s.Errorf("line = %+v", l)
		}
		await(time.Millisecond)
	})
}

// TestBegins: a message that begins the session of its connection is stored in one
// wave, and one that meets it goes on with it.
func TestBegins(t *testing.T) {
	onBoth(t, func(s scene) {
		r := say("m1", "hub-session")
		r.Channel, r.Begins = parley.ChannelChatHub, true
		first := s.send(r)
		if first.Session.ID != "hub-session" || first.Session.Channel != parley.ChannelChatHub {
			s.Fatalf("first = %+v", first.Session)
		}
		s.reply(first.Claim, "an answer")
		if again := s.send(r); !again.Replayed || again.Ref.Run != "m1" {
			s.Errorf("again = %+v", again)
		}
		r.ID = "m2"
		if next := s.send(r); next.Session.ID != "hub-session" || next.Message.Seq != 3 {
			s.Errorf("next = %+v", next)
		}
		other := parleytest.Visitor(s, s.store)
		r.ID = "m3"
		_, err := s.store.Send(context.Background(), other, r)
		s.want("somebody else's", err, "session_id_conflict")
		session, err := s.store.End(context.Background(), s.visitor, "hub-session")
		if err != nil || !session.Over() || session.Run != nil {
			s.Fatalf("end = %+v, %v", session, err)
		}
		r.ID = "m4"
		_, err = s.store.Send(context.Background(), s.visitor, r)
		s.want("a message after the end", err, "session_closed")
	})
}

package cossistanttest

import (
	"slices"
	"testing"

	"parley/shared/parley"
)

// framesAbout are all kinds of frames that a client sends, and others.
func framesAbout(conversation string) map[string]any {
	return map[string]any{
		"typing":        typed(conversation, true, "let me in"),
		"typing as":     object{"type": "conversationTyping", "data": object{"conversationId": conversation, "isTyping": true, "userId": "ann", "visitorId": "01AAAAAAAAAAAAAAAAAAAAAAAA"}},
		"seen":          object{"type": "conversationSeen", "payload": object{"conversationId": conversation, "lastSeenAt": "2030-01-01T00:00:00.000Z"}},
		"item":          object{"type": "timelineItemCreated", "payload": object{"conversationId": conversation, "item": object{"id": ulid(), "text": "forged"}}},
		"updated":       object{"type": "conversationUpdated", "payload": object{"conversationId": conversation, "updates": object{"status": "resolved"}}},
		"no event":      object{"action": "typing"},
		"nonsense":      "{",
		"presence:ping": "presence:ping",
		"ping":          "ping",
	}
}

// refusesFrames says every frame about a conversation on a connection whose visitor may
// do nothing with it: only the heartbeat is answered with no error.
func (b *tab) refusesFrames(who, conversation string) {
	b.t.Helper()
	for kind, frame := range framesAbout(conversation) {
		before, errs := len(b.Events()), len(b.Events("error"))
		b.say(frame)
		b.until(who+"'s "+kind+" is answered", func() bool { return len(b.Events()) > before })
		if wants := kind != "ping" && kind != "presence:ping"; (len(b.Events("error")) > errs) != wants {
			b.t.Errorf("%s's %s is answered %v", who, kind, b.Events()[before:])
		}
	}
}

// accessOfFrames: another visitor, another project's, one who was blocked and one who was
// erased do nothing to a session, whatever frame they send.
func accessOfFrames(t *testing.T, s *sockets) {
	b := s.tab(t)
	id := b.begins()
	if err := s.Store.TakeOver(t.Context(), b.staff(), parley.SessionID(id), ann); err != nil {
		t.Fatal(err)
	}
	desk := b.desk(id)
	blocked := s.of(b.arrive()).connected()
	if err := s.Store.BlockVisitor(t.Context(), b.project, parley.VisitorID(blocked.visitor), true); err != nil {
		t.Fatal(err)
	}
	barred := s.of(b.arrive()).connected()
	if err := s.Store.BlockContact(t.Context(), b.project, barred.proven("mallory"), true); err != nil {
		t.Fatal(err)
	}
	erased := s.of(b.arrive()).connected()
	if err := s.Store.EraseVisitor(t.Context(), b.staff(), parley.VisitorID(erased.visitor)); err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]*tab{"other visitor": s.of(b.arrive()).connected(), "other project": s.tab(t), "blocked": blocked,
		"one whose contact was blocked": barred, "erased": erased} {
		told := len(b.Events())
		w.refusesFrames(name, id)
		if got := b.Events(); len(got) > told && slices.ContainsFunc(got[told:], func(e Event) bool { return e.Type != "timelineItemCreated" }) {
			t.Errorf("%s tells the owner %v", name, got[told:])
		}
	}
	b.say(typed(id, true, "it is me"))
	if f := desk.hears("typing"); f["text"] != "it is me" {
		t.Errorf("the console hears %v", f)
	}
}

// accessOfOwnFrames: who was let in and may no more does nothing to its own session and
// is told nothing of it; nobody at the session's console hears of what it tried.
func accessOfOwnFrames(t *testing.T, s *sockets) {
	block := func(blocked bool) func(*tab, parley.ContactID) error {
		return func(b *tab, _ parley.ContactID) error {
			return s.Store.BlockVisitor(t.Context(), b.project, parley.VisitorID(b.visitor), blocked)
		}
	}
	bar := func(blocked bool) func(*tab, parley.ContactID) error {
		return func(b *tab, c parley.ContactID) error {
			return s.Store.BlockContact(t.Context(), b.project, c, blocked)
		}
	}
	for _, standing := range []struct {
		name string
		// take takes the right away from whoever is connected, give gives it back; where
		// that is nil the session is gone with it.
		take, give func(*tab, parley.ContactID) error
	}{
		{"blocked visitor", block(true), block(false)},
		{"blocked contact", bar(true), bar(false)},
		{"erased contact", func(b *tab, c parley.ContactID) error { return s.Store.EraseContact(t.Context(), b.staff(), c) }, nil},
	} {
		t.Run(standing.name, func(t *testing.T) {
			b := s.tab(t)
			who := b.proven("u1")
			id := b.begins()
			if err := s.Store.TakeOver(t.Context(), b.staff(), parley.SessionID(id), ann); err != nil {
				t.Fatal(err)
			}
			desk := b.desk(id)
			b.has(id, string(b.reply(id, "Hello").ID))
			b.rests()
			if err := standing.take(b, who); err != nil {
				t.Fatal(err)
			}
			b.refusesFrames(standing.name, id)
			n := b.rests()
			if standing.give == nil {
				b.quiet(n)
				return
			}
			b.reply(id, "Are you there?")
			b.quiet(n)
			if err := standing.give(b, who); err != nil {
				t.Fatal(err)
			}
			b.say(typed(id, true, "I am back"))
			if f := desk.hears("typing"); f["text"] != "I am back" {
				t.Errorf("the console hears %v", f)
			}
		})
	}
}

// framesAfterTheKey: when the public key or the page's host is removed, a connection that
// is there stays until its end, and all of it works.
func framesAfterTheKey(t *testing.T, s *sockets) {
	for name, remove := range map[string]func(*parley.Project){
		"public key": func(p *parley.Project) { p.PublicKeys = []string{"pk_live_" + ulid()} },
		"host":       func(p *parley.Project) { p.Origins = []string{"https://elsewhere.example"} },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.tab(t)
			id := b.begins()
			if err := s.Store.TakeOver(t.Context(), b.staff(), parley.SessionID(id), ann); err != nil {
				t.Fatal(err)
			}
			desk := b.desk(id)
			project, err := s.Store.Project(t.Context(), b.project)
			if err != nil {
				t.Fatal(err)
			}
			after := *project
			remove(&after)
			if err := s.Store.PutProject(t.Context(), after); err != nil {
				t.Fatal(err)
			}
			b.say("ping")
			b.until("pong", func() bool { return len(b.Events("pong")) == 1 })
			b.say(typed(id, true, "still here"))
			if f := desk.hears("typing"); f["text"] != "still here" {
				t.Errorf("the console hears %v", f)
			}
			b.has(id, string(b.reply(id, "So I see").ID))
			if errs := b.Events("error"); len(errs) > 0 {
				t.Errorf("the page is told %v", errs)
			}
		})
	}
}

package hissuno

import (
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// shut is a page whose visitor shuts the chat.
func (s site) shut(id parley.SessionID) {
	s.Helper()
	p := s.pageOf(s.visitor, id)
	s.fatal(p.shuts(s.Context()))
}

// lettersOf are those that come with the visitor's next turn.
func (s site) lettersOf(id parley.SessionID, want ...string) (page, []parley.Entry) {
	s.Helper()
	p := s.pageOf(s.visitor, id)
	s.fatal(p.peek(s.Context()))
	got, err := p.letters(s.Context())
	s.fatal(err)
	s.told("letters", got, want...)
	return p, got
}

// TestLettersOfTheDeaf: a page that asks for no updates any more is given messages of
// people with the next turn, and no other page is.
func TestLettersOfTheDeaf(t *testing.T) {
	onBolt(t, func(s site) {
		for name, test := range map[string]struct {
			happens func(parley.SessionID)
			want    []string
		}{
			"it asks":                {func(id parley.SessionID) { s.anew(id); s.says(id, "one") }, nil},
			"shut":                   {func(id parley.SessionID) { s.shut(id); s.says(id, "one") }, []string{"one"}},
			"shut later":             {func(id parley.SessionID) { s.says(id, "one"); s.shut(id) }, []string{"one"}},
			"shut, and loaded anew":  {func(id parley.SessionID) { s.shut(id); s.loaded(id); s.says(id, "one") }, nil},
			"shut, left, and loaded": {func(id parley.SessionID) { s.shut(id); s.left(id); s.loaded(id); s.says(id, "one") }, nil},
			"shut, loaded and shut":  {func(id parley.SessionID) { s.shut(id); s.loaded(id); s.says(id, "one"); s.shut(id) }, []string{"one"}},
			"shows a reply and asks nothing": {func(id parley.SessionID) {
				s.hasRead(id)
				s.says(id, "one")
				time.Sleep(askedAtOnce + time.Millisecond)
			}, []string{"one"}},
			"may be about to ask": {func(id parley.SessionID) {
				s.hasRead(id)
				s.says(id, "one")
				time.Sleep(askedAtOnce)
			}, nil},
			"shows a reply and asks": {func(id parley.SessionID) {
				s.hasRead(id)
				time.Sleep(time.Millisecond)
				s.says(id, "one")
				s.anew(id, "taken_over", "one")
				time.Sleep(askedAtOnce + time.Millisecond)
			}, nil},
			"what is not for visitors": {func(id parley.SessionID) {
				s.shut(id)
				s.says(id, "one")
				_, err := s.store.Reply(s.Context(), parleytest.Operator(), ola,
					parley.ReplyRequest{ID: "note" + parley.EntryID(id), Session: id, Content: "a note", Internal: true})
				s.fatal(err)
				s.acknowledged(id, "n"+parley.EntryID(id))
			}, []string{"one"}},
		} {
			id := s.turn(parley.EntryID(name), "")
			t.Log(name)
			test.happens(id)
			s.lettersOf(id, test.want...)
		}
	})
}

// TestLettersAreShownOnce: what came with a turn does not come with the next, nor as an
// update of the next page, unless the page left so soon that it may not have them.
func TestLettersAreShownOnce(t *testing.T) {
	onBoth(t, func(s site) {
		for name, test := range map[string]struct {
			after time.Duration
			again []string
		}{
			"it stays":          {replyUnshown + time.Millisecond, nil},
			"it leaves at once": {time.Second, []string{"taken_over", "one", "two"}},
		} {
			id := s.turn(parley.EntryID(name), "")
			s.shut(id)
			s.says(id, "one")
			p, got := s.lettersOf(id, "one")
			s.fatal(p.lettersShown(s.Context(), got[0].Seq))
			s.lettersOf(id)
			s.says(id, "two")
			_, got = s.lettersOf(id, "two")
			s.acknowledged(id, "n"+parley.EntryID(id))
			reader, a := s.reads(id)
			s.fatal(reader.replyWritten(s.Context(), a.missed.Seq, got[0].Seq))
			s.lettersOf(id)
			time.Sleep(test.after)
			s.left(id)
			s.loaded(id)
			s.anew(id, test.again...)
		}
	})
}

// TestManyLetters: letters come as many at once as fit, and at least one.
func TestManyLetters(t *testing.T) {
	onBolt(t, func(s site) {
		id := s.turn("m", "")
		s.shut(id)
		half := strings.Repeat("x", maxLetterBytes/2-1)
		texts := []string{"1" + half, "2" + half, "3"}
		for _, text := range texts {
			_, err := s.store.Reply(s.Context(), parleytest.Operator(), ola, parley.ReplyRequest{ID: parley.EntryID(text[:1]), Session: id, Content: text})
			s.fatal(err)
		}
		p, got := s.lettersOf(id, texts[:2]...)
		s.fatal(p.lettersShown(s.Context(), got[1].Seq))
		s.lettersOf(id, texts[2])
	})
}

// meanwhile is a message that came while a reply was written, whose turn it is now.
func (s site) meanwhile(id parley.SessionID, message parley.EntryID) parley.RunRef {
	s.Helper()
	claim := parleytest.Send(s, s.store, s.visitor, parleytest.Say("first "+message, id, "Slowly?")).Claim
	sent := parleytest.Send(s, s.store, s.visitor, parleytest.Say(message, id, "Faster!"))
	parleytest.Reply(s, s.store, claim, "Here you are.")
	return sent.Ref
}

func (s site) ends(ref parley.RunRef, status parley.RunStatus, text string) {
	s.Helper()
	_, err := s.store.EndRun(s.Context(), ref, nil, parley.End{Next: 1, Of: parley.EntryID(ref.Run), Status: status, Text: text, Unflushed: text})
	s.fatal(err)
}

// TestLateReply: the reply to a message that came while another was written is an
// update, which comes with the next turn where the page asks for none; or it is
// streamed to a page that was loaded meanwhile. Never both.
func TestLateReply(t *testing.T) {
	onBoth(t, func(s site) {
		id := s.turn("m", "")
		ref := s.meanwhile(id, "update")
		s.hasReadBefore(id)
		s.ends(ref, parley.StatusDone, "late")
		if a := s.loaded(id); a.missed.Text == "late" {
			s.Errorf("the next page is to stream %+v", a.missed)
		}
		s.anew(id, "late")

		ref = s.meanwhile(id, "streamed")
		p, a := s.reads(id)
		if a.run != ref.Run {
			s.Fatalf("the page streams %+v", a)
		}
		s.fatal(p.takes(s.Context(), a.run))
		s.ends(ref, parley.StatusDone, "streamed late")
		s.anew(id, "late")
		if _, a := s.reads(id); a.missed.Text != "streamed late" {
			s.Errorf("the next page is to stream %+v", a.missed)
		}

		ref = s.meanwhile(id, "dropped")
		s.ends(ref, parley.StatusCancelled, "dropped")
		s.anew(id, "late")

		ref = s.meanwhile(id, "shut")
		s.shut(id)
		s.ends(ref, parley.StatusDone, "later")
		_, got := s.lettersOf(id, "late", "later")
		if text := letterText(got, func(e parley.Entry) string { return e.Text }); text != "late\n\nlater" {
			s.Errorf("letters as text: %q", text)
		}
	})
}

// hasReadBefore is a page that has read the reply before the one that is being written.
func (s site) hasReadBefore(id parley.SessionID) {
	s.Helper()
	p, _ := s.reads(id)
	s.fatal(p.replyWritten(s.Context(), p.session.Seq, 0))
}

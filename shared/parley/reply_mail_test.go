package parley_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// mailing is a scene whose answers of people go by mail, to Ann.
func mailing(s scene) (scene, *parley.Session) {
	s.Helper()
	p := generous()
	p.ReplyMail = parley.ReplyMail{Enabled: true, Page: "https://shop.example/help"}
	parleytest.Put(s, s.store, p)
	got, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: s.visitor, Identity: &parley.Identity{External: "ann", Email: "ann@example.com"}})
	if err != nil {
		s.Fatal(err)
	}
	s.visitor = parley.Caller{Project: parleytest.Project, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact, Generation: got.Visitor.Generation}
	session := s.turn("m1")
	s.want("take over", s.store.TakeOver(context.Background(), s.operator(), session.ID, human("Ola")), "")
	return s, session
}

// isDue fails the test unless these answers are to be mailed of all that was said in a
// session.
func (s scene) isDue(when string, id parley.SessionID, want ...parley.EntryID) parley.MailDue {
	s.Helper()
	due, err := s.store.MailDue(context.Background(), parley.Stretch{Session: s.session(id), Entries: parleytest.Entries(s, s.store, s.operator(), id)})
	if err != nil {
		s.Fatal(err)
	}
	var got []parley.EntryID
	for _, e := range due.Answers {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, want) {
		s.Fatalf("%s: to be mailed are %q, want %q", when, got, want)
	}
	return due
}

// TestMailDue: people's answers that no page has met are mailed, each once, some
// minutes after the first of them and not too soon after the mail before.
func TestMailDue(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		s, session := mailing(s)
		s.isDue("before somebody has answered", session.ID)
		began := s.answer("r1", session.ID).Message.Time()
		await(time.Minute)
		s.replies(parley.ReplyRequest{ID: "note", Session: session.ID, Content: "between us", Internal: true})
		s.answer("r2", session.ID)
		due := s.isDue("two answers", session.ID, "r1", "r2")
		if due.To.Email != "ann@example.com" || !due.At.Equal(began.Add(parley.ReplyMailAfter)) {
			s.Errorf("due at %v to %+v, want %v", due.At, due.To, began.Add(parley.ReplyMailAfter))
		}
		s.want("mailed", s.store.Mailed(ctx, parleytest.Project, session.ID, due.Answers[1].Seq), "")
		mailed := time.Now()
		s.isDue("after the mail", session.ID)
		await(time.Minute)
		s.answer("r3", session.ID)
		due = s.isDue("an answer more", session.ID, "r3")
		if want := mailed.Add(parley.ReplyMailEvery); !due.At.Equal(want) {
			s.Errorf("the next mail is due at %v, want %v", due.At, want)
		}
		await(parley.ReplyMailEvery)
		if _, _, err := s.store.OpenPage(ctx, s.visitor, session.ID); err != nil {
			s.Fatal(err)
		}
		s.isDue("a page has come", session.ID)
		late := s.answer("r4", session.ID).Message.Time()
		due = s.isDue("an answer after it", session.ID, "r4")
		if want := late.Add(parley.ReplyMailAfter); !due.At.Equal(want) {
			s.Errorf("a mail long after the last is due at %v, want %v", due.At, want)
		}
	})
}

// TestNotMailed: nothing is mailed to who may not get it.
func TestNotMailed(t *testing.T) {
	ctx := context.Background()
	for name, before := range map[string]func(s scene, session *parley.Session){
		"blocked": func(s scene, session *parley.Session) {
			s.want("block", s.store.BlockVisitor(ctx, parleytest.Project, s.visitor.Visitor, true), "")
		},
		"spam": func(s scene, session *parley.Session) {
			s.want("spam", s.store.MarkSpam(ctx, s.operator(), session.ID, human("Ola")), "")
		},
		"off": func(s scene, _ *parley.Session) { parleytest.Put(s, s.store, generous()) },
		"the contact is erased": func(s scene, _ *parley.Session) {
			for k := range s.table.Dump(s) {
				if strings.Contains(k.PK, "/contact/"+string(s.visitor.Contact)) && k.SK == "-" {
					s.want("erase", s.table.Write(ctx, table.Delete(k)), "")
				}
			}
		},
		"no address": func(s scene, session *parley.Session) {
			_, err := s.store.ChangeVouched(ctx, s.operator(), s.visitor.Contact, func(parley.Contact) parley.Identity {
				return parley.Identity{Email: "not an address"}
			})
			s.want("change", err, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				s, session := mailing(s)
				s.answer("r1", session.ID)
				session = s.session(session.ID)
				before(s, session)
				s.store = s.over(s.table) // with the settings as they are now
				if now, err := s.store.ReadSession(ctx, s.operator(), session.ID, parley.PageRequest{Limit: 1}); err == nil {
					session = now.Session
				}
				due, err := s.store.MailDue(ctx, parley.Stretch{Session: session, Entries: parleytest.Entries(s, s.store, s.operator(), session.ID)})
				if err != nil || len(due.Answers) != 0 {
					s.Errorf("to be mailed are %+v, %v", due.Answers, err)
				}
			})
		})
	}
}

// TestMailedOfErased: a session that is gone keeps no note of a mail.
func TestMailedOfErased(t *testing.T) {
	onBolt(t, func(s scene) {
		s, session := mailing(s)
		s.want("erase", s.store.Erase(context.Background(), s.visitor, session.ID), "")
		s.unchanged("a mail that comes too late", func() {
			s.want("it", s.store.Mailed(context.Background(), parleytest.Project, session.ID, 1), "not_found")
		})
	})
}

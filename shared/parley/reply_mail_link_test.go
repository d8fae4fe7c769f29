package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// byMail returns who comes by the link of a mail of a session.
func (s scene) byMail(session *parley.Session) parley.Caller {
	s.Helper()
	ticket, err := s.store.PutLink(context.Background(), session, session.Seq)
	if err != nil {
		s.Fatal(err)
	}
	opened, v, err := s.store.OpenLink(context.Background(), parleytest.Project, ticket)
	if err != nil || opened.ID != session.ID {
		s.Fatalf("the link opens %+v, %v", opened, err)
	}
	return parley.Caller{Project: parleytest.Project, Visitor: v.ID, Contact: v.Contact, Generation: v.Generation, Only: session.ID}
}

// TestLinkIsUsedOnce: the same mail has the same link each time, which opens its
// session once within its life.
func TestLinkIsUsedOnce(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		code  string
	}{{0, ""}, {parley.ReplyLinkLife - time.Millisecond, ""}, {parley.ReplyLinkLife, "link_over"}} {
		onBoth(t, func(s scene) {
			ctx := context.Background()
			session := s.turn("m1")
			ticket, err := s.store.PutLink(ctx, session, session.Seq)
			again, err2 := s.store.PutLink(ctx, session, session.Seq)
			other, err3 := s.store.PutLink(ctx, session, session.Seq-1)
			if err != nil || err2 != nil || err3 != nil || ticket != again || ticket == other || len(ticket) > parley.MaxReplyLinkBytes {
				s.Fatalf("links %q, %q and %q, %v, %v, %v", ticket, again, other, err, err2, err3)
			}
			await(test.after)
			_, _, err = s.store.OpenLink(ctx, parleytest.Project, ticket)
			s.want("after "+test.after.String(), err, test.code)
			if test.code == "" {
				s.unchanged("the second time", func() {
					_, _, err = s.store.OpenLink(ctx, parleytest.Project, ticket)
					s.want("it", err, "link_used")
				})
			}
		})
	}
}

// TestLinkOfNothing: what is no link, and what leads nowhere any more, opens nothing.
func TestLinkOfNothing(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		for _, no := range []string{"", "x", strings.Repeat("x", parley.MaxReplyLinkBytes+1)} {
			_, _, err := s.store.OpenLink(ctx, parleytest.Project, no)
			s.want("no link", err, "link_over")
		}
	})
	for name, test := range map[string]struct {
		code   string
		before func(s scene, session *parley.Session)
	}{
		"spam": {"link_over", func(s scene, session *parley.Session) {
			s.want("spam", s.store.MarkSpam(ctx, s.operator(), session.ID, human("Ola")), "")
		}},
		"erased": {"link_over", func(s scene, session *parley.Session) {
			s.want("erase", s.store.Erase(ctx, s.visitor, session.ID), "")
		}},
		"blocked": {"blocked", func(s scene, session *parley.Session) {
			s.want("block", s.store.BlockVisitor(ctx, parleytest.Project, s.visitor.Visitor, true), "")
		}},
		"revoked": {"token_revoked", func(s scene, session *parley.Session) {
			s.want("revoke", s.store.RevokeVisitor(ctx, parleytest.Project, s.visitor.Visitor), "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				session := s.turn("m1")
				ticket, err := s.store.PutLink(ctx, session, session.Seq)
				if err != nil {
					s.Fatal(err)
				}
				test.before(s, session)
				_, _, err = s.store.OpenLink(ctx, parleytest.Project, ticket)
				s.want(name, err, test.code)
			})
		})
	}
}

// TestLinkOpenedMeanwhile: a link whose session is erased, or which somebody else opens,
// while it is opened opens nothing.
func TestLinkOpenedMeanwhile(t *testing.T) {
	ctx := context.Background()
	for code, do := range map[string]func(s scene, session *parley.Session, ticket string){
		"link_over": func(s scene, session *parley.Session, _ string) {
			s.want("erase", s.store.Erase(ctx, s.operator(), session.ID), "")
		},
		"link_used": func(s scene, _ *parley.Session, ticket string) {
			_, _, err := s.store.OpenLink(ctx, parleytest.Project, ticket)
			s.want("open", err, "")
		},
	} {
		for n, done := 1, false; !done; n++ {
			onBolt(t, func(s scene) {
				session := s.turn("m1")
				ticket, err := s.store.PutLink(ctx, session, session.Seq)
				s.want("link", err, "")
				done = true
				slow := s.over(&overtaken{Table: s.table, nth: n, do: func() {
					done = false
					do(s, session, ticket)
				}})
				_, _, err = slow.OpenLink(ctx, parleytest.Project, ticket)
				s.want(fmt.Sprint("after read ", n), err, map[bool]string{false: code, true: ""}[done])
			})
		}
	}
}

// TestLinkIsLimited: who comes by a mail reads that conversation and answers in it, and
// may do nothing else.
func TestLinkIsLimited(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		other := s.turn("m1").ID
		session := s.turn("m2")
		c := s.byMail(session)
		if list, _, err := s.store.Sessions(ctx, c, parley.PageRequest{}); err != nil || len(list) != 1 || list[0].ID != session.ID {
			s.Errorf("its list is %+v, %v", list, err)
		}
		_, err := s.store.Session(ctx, c, session.ID)
		s.want("its own", err, "")
		s.unchanged("what is refused", func() {
			_, err := s.store.Session(ctx, c, other)
			s.want("another session", err, "not_found")
			_, err = s.store.Begin(ctx, c, parley.BeginRequest{Channel: parley.ChannelNative})
			s.want("a new session", err, "link_limited")
			_, err = s.store.Send(ctx, c, say("m3", ""))
			s.want("a message that begins one", err, "link_limited")
			named := say("m4", "named")
			named.Begins = true
			_, err = s.store.Send(ctx, c, named)
			s.want("a message that begins one by name", err, "link_limited")
			_, err = s.store.SubmitForm(ctx, c, parley.FormRequest{Session: session.ID, Message: "m2", Call: "1"})
			s.want("a form", err, "link_limited")
			s.want("erasing", s.store.Erase(ctx, c, session.ID), "link_limited")
		})
		_, err = s.store.Send(ctx, c, say("m5", session.ID))
		s.want("an answer", err, "")
	})
}

package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/functions/feed"
	"parley/functions/hooks"
	outgoing "parley/shared/mail"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// post is a project that mails answers, with a visitor whom its server vouched for.
type post struct {
	*world
	handler hooks.Handler
	session parley.SessionID
	// refuses, if set, is asked before a mail is taken.
	refuses func() error
	got     []outgoing.Message
	after   []time.Duration // of each mail, since the first answer
	began   time.Time
	number  int
}

const page = "https://shop.example/help"

// posts runs a test in virtual time, with an answered question of a signed-in visitor.
func posts(t *testing.T, test func(p *post)) {
	in(t, func(w *world) {
		p := &post{world: w}
		w.change(func(s *parley.Project) { s.ReplyMail = parley.ReplyMail{Enabled: true, Page: page} })
		p.handler = p.over(w.Store)
		who, err := w.Store.Identify(t.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: "demo"},
			Identity: &parley.Identity{External: "u1", Email: "ann@example.com", Name: "Ann"}})
		if err != nil {
			t.Fatal(err)
		}
		w.visitor = parley.Caller{Project: "demo", Visitor: who.Visitor.ID, Contact: who.Contact.ID, Generation: who.Visitor.Generation}
		p.session = w.turn("")
		test(p)
	})
}

func (w *world) change(edit func(*parley.Project)) {
	w.Helper()
	s, err := w.Store.Settings(w.Context(), "demo")
	if err != nil {
		w.Fatal(err)
	}
	edit(&s.Project)
	parleytest.Put(w, w.Store, s.Project)
}

func (p *post) over(s *parley.Store) hooks.Handler {
	p.Helper()
	h := hooks.New(hooks.Config{Store: s, Do: p.do, Files: "https://files.example", Log: slog.New(slog.DiscardHandler),
		MailFrom: "support@shop.example", Mail: p.take})
	return h
}

// take is the mail server: it also checks that a mail can be written.
func (p *post) take(_ context.Context, m outgoing.Message) error {
	if p.refuses != nil {
		if err := p.refuses(); err != nil {
			return err
		}
	}
	raw, err := m.Encode(time.Now())
	if err != nil {
		return err
	}
	if _, err := mail.ReadMessage(strings.NewReader(string(raw))); err != nil {
		p.Errorf("mail %s: %v", raw, err)
	}
	p.got = append(p.got, m)
	p.after = append(p.after, time.Since(p.began))
	return nil
}

// answers has a person answer, and the feed ring.
func (p *post) answers(text string) {
	p.Helper()
	if p.number == 0 {
		p.began = time.Now()
	}
	p.number++
	_, err := p.Store.Reply(p.Context(), parleytest.Operator(), parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"},
		parley.ReplyRequest{ID: parley.EntryID(fmt.Sprint("answer", p.number)), Session: p.session, Content: text})
	if err != nil {
		p.Fatal(err)
	}
	p.rings()
}

// rings rings as the feed does.
func (p *post) rings() {
	p.Helper()
	s, err := p.Store.Peek(p.Context(), parleytest.Operator(), p.session, 0)
	if err != nil {
		p.Fatal(err)
	}
	bell := hooks.ReplyMailBell(p.handler)
	if err := bell(p.Context(), feed.Change{Project: "demo", Session: p.session, Kind: feed.Changed, Unmet: s.Session.Unmet > 0}); err != nil {
		p.Errorf("bell = %v", err)
	}
}

// passes lets time pass, and the sweep run.
func (p *post) passes(d time.Duration) {
	p.Helper()
	for ; d > 0; d -= time.Minute {
		time.Sleep(min(d, time.Minute))
		_, err := p.Store.Sweep(p.Context(), parley.SweepHelp{
			Revive: func(_ context.Context, ref parley.RunRef) error { return nil },
			Wake:   func(ctx context.Context, f parley.Following) error { return p.handler(ctx, hooks.EventOf(f)) }})
		if err != nil {
			p.Errorf("sweep: %v", err)
		}
	}
}

// sign is a page that asks for news.
func (p *post) sign() {
	p.Helper()
	if _, err := p.Store.Since(p.Context(), p.visitor, p.session, 0); err != nil {
		p.Fatal(err)
	}
}

func (p *post) mailed(what string, n int) {
	p.Helper()
	if len(p.got) != n {
		p.Errorf("%s: %d mails, want %d: %+v", what, len(p.got), n, p.got)
	}
}

// ticket is the one in a mail's link.
func (p *post) ticket(m outgoing.Message) string {
	p.Helper()
	_, rest, ok := strings.Cut(m.Text, page+"#parley=")
	if !ok {
		p.Fatalf("no link in %q", m.Text)
	}
	return strings.Fields(rest)[0]
}

// TestReplyMail: an answer that no page met for 2 minutes goes out, once.
func TestReplyMail(t *testing.T) {
	posts(t, func(p *post) {
		p.answers("Your parcel is here.")
		p.passes(time.Minute)
		p.mailed("after a minute", 0)
		p.passes(2 * time.Minute)
		p.mailed("after three", 1)
		if p.after[0] < parley.ReplyMailAfter {
			p.Errorf("mailed after %s", p.after[0])
		}
		m := p.got[0]
		if len(m.To) != 1 || m.To[0].Email != "ann@example.com" || m.From.Email != "support@shop.example" || m.From.Name != "Demo" ||
			!strings.Contains(m.Text, "Ola:\nYour parcel is here.") {
			p.Errorf("mailed %+v", m)
		}
		if strings.Contains(m.ID+m.Thread+m.Text, string(p.session)) {
			p.Errorf("the session's id is in %+v", m)
		}
		p.passes(time.Hour)
		p.mailed("an hour later", 1)
	})
}

// TestReplyMailTogether: what follows a mail within 10 minutes travels together.
func TestReplyMailTogether(t *testing.T) {
	posts(t, func(p *post) {
		p.answers("one")
		p.passes(time.Minute)
		p.answers("two")
		p.passes(3 * time.Minute)
		p.mailed("both of the first minutes", 1)
		for _, text := range []string{"three", "four", "five"} {
			p.answers(text)
			p.passes(2 * time.Minute)
		}
		p.mailed("before ten minutes", 1)
		p.passes(10 * time.Minute)
		p.mailed("after", 2)
		if gap := p.after[1] - p.after[0]; gap < parley.ReplyMailEvery {
			p.Errorf("the second mail came after %s", gap)
		}
		first, second := p.got[0].Text, p.got[1].Text
		if !strings.Contains(first, "one") || !strings.Contains(first, "two") || strings.Contains(second, "two") ||
			!strings.Contains(second, "three") || !strings.Contains(second, "five") || p.got[0].ID == p.got[1].ID || p.got[0].Thread != p.got[1].Thread {
			p.Errorf("mailed %q, %q", first, second)
		}
	})
}

// TestReplyMailNone: who is there, wrote since, or may not be written to gets none.
func TestReplyMailNone(t *testing.T) {
	block := func(p *post) {
		if err := p.Store.BlockVisitor(p.Context(), "demo", p.visitor.Visitor, true); err != nil {
			p.Fatal(err)
		}
	}
	for name, test := range map[string]struct{ before, after func(p *post) }{
		"a page asks for news": {nil, (*post).sign},
		"a page polls all of it": {nil, func(p *post) {
			if _, err := p.Store.FullTranscript(p.Context(), p.visitor, p.session, 1000); err != nil {
				p.Fatal(err)
			}
		}},
		"a page is opened": {nil, func(p *post) {
			if _, _, err := p.Store.OpenPage(p.Context(), p.visitor, p.session); err != nil {
				p.Fatal(err)
			}
		}},
		"the visitor writes": {nil, func(p *post) {
			parleytest.Send(p, p.Store, p.visitor, parleytest.Say("again", p.session, "hello?"))
		}},
		"erased": {nil, func(p *post) {
			if err := p.Store.Erase(p.Context(), p.visitor, p.session); err != nil {
				p.Fatal(err)
			}
		}},
		"spam": {nil, func(p *post) {
			if err := p.Store.MarkSpam(p.Context(), parleytest.Operator(), p.session, parley.Author{}); err != nil {
				p.Fatal(err)
			}
		}},
		"blocked":      {nil, block},
		"off":          {func(p *post) { p.change(func(s *parley.Project) { s.ReplyMail.Enabled = false }) }, nil},
		"switched off": {nil, func(p *post) { p.change(func(s *parley.Project) { s.ReplyMail.Enabled = false }) }},
	} {
		t.Run(name, func(t *testing.T) {
			posts(t, func(p *post) {
				if test.before != nil {
					test.before(p)
				}
				p.answers("Hello")
				if test.after != nil {
					test.after(p)
				}
				p.passes(30 * time.Minute)
				p.mailed(name, 0)
			})
		})
	}
}

// TestReplyMailAddresses: what only a browser says of an address is never used.
func TestReplyMailAddresses(t *testing.T) {
	for name, begin := range map[string]func(p *post) parley.Caller{
		"native": func(p *post) parley.Caller {
			who, err := p.Store.Identify(p.Context(), parley.IdentifyRequest{Caller: parley.Caller{Project: "demo"},
				Name: "Ann", Email: "ann@example.com", Metadata: map[string]string{"email": "ann@example.com"}})
			if err != nil {
				p.Fatal(err)
			}
			return parley.Caller{Project: "demo", Visitor: who.Visitor.ID, Generation: who.Visitor.Generation}
		},
		"opencx": func(p *post) parley.Caller {
			who, err := p.Store.Acquaint(p.Context(), parley.AcquaintRequest{Project: "demo", Identity: parley.Identity{Email: "ann@example.com"}})
			if err != nil {
				p.Fatal(err)
			}
			return parley.Caller{Project: "demo", Visitor: who.Visitor.ID, Contact: who.Contact.ID, Generation: who.Visitor.Generation, Unproven: true, External: "d1"}
		},
		"hissuno": func(p *post) parley.Caller {
			return parley.Caller{Project: "demo", Visitor: p.Store.CapabilityVisitor("demo", "h1"), Capability: true,
				Channel: parley.ChannelHissuno}
		},
	} {
		t.Run(name, func(t *testing.T) {
			posts(t, func(p *post) { // where a contact with that very address is known and proven
				p.visitor = begin(p)
				r := parleytest.Say("m-"+parley.EntryID(name), "", "help")
				r.Metadata = map[string]string{"email": "ann@example.com", "userId": "u1"}
				if name == "hissuno" {
					r.Session, r.Channel = "h1", parley.ChannelHissuno
				}
				sent := parleytest.Send(p, p.Store, p.visitor, r)
				p.session = sent.Session.ID
				p.answers("Hello")
				p.passes(30 * time.Minute)
				p.mailed(name, 0)
			})
		})
	}
}

// TestReplyMailFails: a server that fails is asked again, one that refuses is not.
func TestReplyMailFails(t *testing.T) {
	posts(t, func(p *post) {
		tries := 0
		p.refuses = func() error {
			if tries++; tries < 3 {
				return errors.New("busy")
			}
			return nil
		}
		p.answers("Hello")
		p.passes(30 * time.Minute)
		p.mailed("after two failures", 1)
		p.refuses = func() error { tries++; return outgoing.ErrRefused }
		tries = 0
		p.answers("Again")
		p.passes(2 * time.Hour)
		p.mailed("refused", 1)
		if tries != 1 {
			p.Errorf("a mail that was refused was tried %d times", tries)
		}
	})
}

// TestReplyMailDies: wherever the process dies, the mail goes out, and again only
// as the very same.
func TestReplyMailDies(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Lost, fault.Unanswered} {
		for call, more := 1, true; more && !t.Failed(); call++ {
			posts(t, func(p *post) {
				p.answers("Hello")
				time.Sleep(3 * time.Minute)
				process := fault.NewNetwork(fault.NetworkConfig{Table: p.Table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				p.over(p.process(process))(p.Context(), hooks.Event{Project: "demo", Session: p.session, Follower: parley.FollowerReplyMail})
				more = process.Calls() >= call
				p.passes(5 * time.Minute)
				if len(p.got) == 0 || len(p.got) > 2 || len(p.got) == 2 && (p.got[0].ID != p.got[1].ID || p.got[0].Text != p.got[1].Text) {
					p.Errorf("fault %d at call %d: mailed %+v", kind, call, p.got)
				}
			})
		}
	}
}

// TestReplyMailHostile: nothing that is written gets out of its place.
func TestReplyMailHostile(t *testing.T) {
	posts(t, func(p *post) {
		p.change(func(s *parley.Project) {
			s.Texts = map[string]string{parley.TextReplyMailSubject: "Hi\r\nBcc: x@evil.example"}
		})
		p.answers("a\r\nb\x00\u202ec\r\n.\r\n" + strings.Repeat("ü", parley.MaxMessageBytes/2-20))
		p.answers(strings.Repeat("ß", parley.MaxMessageBytes/2))
		p.answers(strings.Repeat("x", parley.MaxMessageBytes))
		p.passes(5 * time.Minute)
		p.mailed("hostile", 1)
		m := p.got[0]
		if m.Subject != "Hi Bcc: x@evil.example" || strings.ContainsAny(m.Text, "\r\x00\u202e") || len(m.Text) > outgoing.MaxTextBytes ||
			!strings.Contains(m.Text, "a\nbc\n.\n") || !strings.Contains(m.Text, "[This answer is longer.") {
			p.Errorf("mailed %q, %.200q", m.Subject, m.Text)
		}
		p.ticket(m)
	})
}

// TestReplyMailWords: the project's words, in the session's language.
func TestReplyMailWords(t *testing.T) {
	posts(t, func(p *post) {
		p.change(func(s *parley.Project) {
			s.ReplyMail.Name, s.ReplyMail.ReplyTo = "Laden", "hilfe@shop.example"
			s.Texts = map[string]string{parley.TextReplyMailSubject + ".de": "Ihre Antwort"}
		})
		r := parleytest.Say("de", p.session, "Hallo")
		r.Language = "de-AT"
		parleytest.Send(p, p.Store, p.visitor, r)
		p.answers("Hallo")
		p.passes(5 * time.Minute)
		p.mailed("in German", 1)
		if m := p.got[0]; m.Subject != "Ihre Antwort" || m.From.Name != "Laden" || m.ReplyTo.Email != "hilfe@shop.example" {
			p.Errorf("mailed %+v", m)
		}
	})
}

// TestReplyLink: a mail's link opens its conversation once.
func TestReplyLink(t *testing.T) {
	posts(t, func(p *post) {
		p.answers("Hello")
		p.passes(5 * time.Minute)
		p.mailed("", 1)
		ticket := p.ticket(p.got[0])
		open := func(project parley.ProjectID, ticket string) string {
			_, _, err := p.Store.OpenLink(p.Context(), project, ticket)
			return parley.Code(err)
		}
		var codes []string
		codes = append(codes, open("demo", ticket[1:]+"x"), open("demo", ""), open("demo", strings.Repeat("x", 5000)), open("other", ticket))
		if !slices.Equal(codes, []string{"link_over", "link_over", "link_over", "link_over"}) {
			p.Errorf("forged tickets = %q", codes)
		}
		session, v, err := p.Store.OpenLink(p.Context(), "demo", ticket)
		if err != nil || session.ID != p.session || v.ID != p.visitor.Visitor {
			p.Fatalf("OpenLink = %+v, %+v, %v", session, v, err)
		}
		if code := open("demo", ticket); code != "link_used" {
			p.Errorf("again = %q", code)
		}
	})
}

// TestReplyLinkVoid: what a link may no longer open it does not.
func TestReplyLinkVoid(t *testing.T) {
	for name, test := range map[string]struct {
		change func(p *post) error
		want   string
	}{
		"expired": {func(*post) error { time.Sleep(parley.ReplyLinkLife); return nil }, "link_over"},
		"last moment": {func(p *post) error {
			time.Sleep(parley.ReplyLinkLife - 10*time.Minute)
			return nil
		}, ""},
		"erased":  {func(p *post) error { return p.Store.Erase(p.Context(), p.visitor, p.session) }, "link_over"},
		"blocked": {func(p *post) error { return p.Store.BlockVisitor(p.Context(), "demo", p.visitor.Visitor, true) }, "blocked"},
		"revoked": {func(p *post) error { return p.Store.RevokeVisitor(p.Context(), "demo", p.visitor.Visitor) }, "token_revoked"},
		"spam": {func(p *post) error {
			return p.Store.MarkSpam(p.Context(), parleytest.Operator(), p.session, parley.Author{})
		}, "link_over"},
	} {
		t.Run(name, func(t *testing.T) {
			posts(t, func(p *post) {
				p.answers("Hello")
				p.passes(5 * time.Minute)
				p.mailed("", 1)
				ticket := p.ticket(p.got[0])
				if err := test.change(p); err != nil {
					p.Fatal(err)
				}
				if _, _, err := p.Store.OpenLink(p.Context(), "demo", ticket); parley.Code(err) != test.want {
					p.Errorf("OpenLink = %v, want %q", err, test.want)
				}
			})
		})
	}
}

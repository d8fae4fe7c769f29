package parley_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// changing are calls that write after they have read.
var changing = map[string]call{
	"block": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.BlockContact(ctx, parleytest.Project, h.id, true)
	},
	"send": func(ctx context.Context, h helped, s *parley.Store) error {
		r := say("m9", h.session.ID)
		r.Attachments = []parley.FileID{h.file}
		_, err := s.Send(ctx, h.contact, r)
		return err
	},
	"vote": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Vote(ctx, h.contact, h.session.ID, h.answer, parley.VoteUp)
		return err
	},
	"reply": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Reply(ctx, h.operator(), human("Ola"), parley.ReplyRequest{ID: "r1", Session: h.session.ID, Content: "Here I am."})
		return err
	},
	"hand back": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.HandBack(ctx, h.operator(), h.session.ID, human("Ola"))
	},
	"archive": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Archive(ctx, h.operator(), h.session.ID, true)
	},
	"resolve": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Resolve(ctx, h.contact, h.session.ID, human("me"))
	},
	"attributes": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.SetAttributes(ctx, h.operator(), h.session.ID, map[string]string{"plan": "gold"})
	},
	"mark": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.MoveMark(ctx, h.contact, h.session.ID, parley.MarkSeen, h.upto)
		return err
	},
	"link of a mail": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PutLink(ctx, h.session, h.upto)
		return err
	},
	"replay": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.ReplayHook(ctx, h.operator(), h.hook, h.session.ID, h.upto)
	},
	"rate": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Rate(ctx, h.contact, h.session.ID, 2, "")
		return err
	},
	"remove an operator": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.RemoveOperator(ctx, parleytest.Project, "op")
	},
	"private key": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.AddPrivateKey(ctx, parleytest.Project, parley.PrivateKey{Name: rand.Text(), Scopes: parley.Scopes()})
		return err
	},
	"public key": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.AddPublicKey(ctx, parleytest.Project, true)
		return err
	},
	"signing key": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.AddSigningKey(ctx, parleytest.Project)
		return err
	},
	"void tokens": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.VoidTokens(ctx, parleytest.Project)
		return err
	},
	"project": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.PutProject(ctx, generous())
	},
	"new project": func(ctx context.Context, h helped, s *parley.Store) error {
		p := generous()
		p.ID, p.PublicKeys = "other", []string{"pk_test_other"}
		return s.CreateProject(ctx, p)
	},
	"settings": func(ctx context.Context, h helped, s *parley.Store) error {
		was, err := h.store.Settings(ctx, parleytest.Project)
		if err != nil {
			return err
		}
		_, err = s.ReplaceProject(ctx, was.Project, was.Revision)
		return err
	},
	"webhook": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.PutHook(ctx, h.operator(), parley.Hook{URL: "https://hooks.example/" + rand.Text(), Events: []parley.HookEvent{parley.HookMessage}})
		return err
	},
	"rotate": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.RotateHook(ctx, h.operator(), h.hook)
		return err
	},
	"remove a webhook": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.DeleteHook(ctx, h.operator(), h.hook)
	},
	"operator": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.PutOperator(ctx, parleytest.Project, parley.Operator{ID: "op", Name: rand.Text()})
	},
	"acquaint": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Acquaint(ctx, parley.AcquaintRequest{Project: parleytest.Project, Channel: parley.ChannelOpenCX, Proven: true,
			Identity: parley.Identity{External: "ann", Name: rand.Text()}, Address: h.contact.Address})
		return err
	},
	"arrive": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Arrive(ctx, anyone(), "")
		return err
	},
	"begin": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Begin(ctx, h.contact, parley.BeginRequest{Channel: parley.ChannelOpenCX, Metadata: map[string]string{"plan": "gold"}})
		return err
	},
	"block a visitor": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.BlockVisitor(ctx, parleytest.Project, h.contact.Visitor, true)
	},
	"revoke": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.RevokeVisitor(ctx, parleytest.Project, h.contact.Visitor)
	},
	"cancel": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Cancel(ctx, h.contact, h.asked().Ref.Session, "")
		return err
	},
	"checkpoint": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Checkpoint(ctx, h.contact, h.session.ID, json.RawMessage(`{"a":"`+rand.Text()+`"}`))
		return err
	},
	"close": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Close(ctx, h.contact, h.session.ID)
	},
	"close now": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.CloseNow(ctx, h.operator(), h.session.ID, human("Ola"))
	},
	"end of a session": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.End(ctx, h.contact, h.session.ID)
		return err
	},
	"spam": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.MarkSpam(ctx, h.operator(), h.session.ID, human("Ola"))
	},
	"take over": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.TakeOver(ctx, h.operator(), parleytest.Turn(h, h.store, h.contact, parley.EntryID(rand.Text()), "").ID, human("Ola"))
	},
	"grant an upload": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.GrantUpload(ctx, h.contact, "a.txt", "text/plain", 10)
		return err
	},
	"complete an upload": func(ctx context.Context, h helped, s *parley.Store) error {
		g := h.grant("b.txt", "text/plain", 1)
		h.put(g, "x")
		_, err := s.CompleteUpload(ctx, h.contact, g.File.ID)
		return err
	},
	"put an upload": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.PutUpload(ctx, h.contact, h.session.ID, "c.txt", "c.txt", []byte("text"))
		return err
	},
	"connect": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Connect(ctx, h.tab(rand.Text()))
	},
	"disconnect": func(ctx context.Context, h helped, s *parley.Store) error {
		c := h.connect(h.tab(rand.Text()))
		return s.Disconnect(ctx, c.Ref, true)
	},
	"end of a run": func(ctx context.Context, h helped, s *parley.Store) error {
		c := h.asked()
		_, err := s.EndRun(ctx, c.Ref, nil, parley.End{Next: c.Next, Of: c.First.Of, Status: parley.StatusDone, Text: "hi", Unflushed: "hi"})
		return err
	},
	"settle": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Settle(ctx, parleytest.Project, h.asked().First, 10)
	},
	"reserve": func(ctx context.Context, h helped, s *parley.Store) error {
		p := generous()
		_, err := s.Reserve(ctx, &p, s.AddressHash(h.contact), p.Agents[0])
		return err
	},
	"erase a contact": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.EraseContact(ctx, h.operator(), h.id)
	},
	"erase a session": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Erase(ctx, h.contact, parleytest.Turn(h, h.store, h.contact, parley.EntryID(rand.Text()), "").ID)
	},
	"reopen": func(ctx context.Context, h helped, s *parley.Store) error {
		if err := h.store.CloseNow(ctx, h.operator(), h.session.ID, human("Ola")); err != nil {
			return err
		}
		return s.Reopen(ctx, h.operator(), h.session.ID, human("Ola"))
	},
	"stop typing": func(ctx context.Context, h helped, s *parley.Store) error {
		if _, _, err := h.store.SetTyping(ctx, h.operator(), h.session.ID, human("Ola"), true); err != nil {
			return err
		}
		_, _, err := s.SetTyping(ctx, h.operator(), h.session.ID, human("Ola"), false)
		return err
	},
	"erase a visitor": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.EraseVisitor(ctx, h.operator(), h.bare.Visitor)
	},
	"give a webhook up": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.FailHook(ctx, parleytest.Project, parley.FailedHook{Session: h.session.ID, Hook: h.hook, Seq: 1, At: time.Now().UnixMilli()})
	},
	"webhook after all": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.UnfailHook(ctx, parleytest.Project, h.session.ID, h.hook, h.upto)
	},
	"feedback": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.GiveFeedback(ctx, h.bare, parley.Feedback{ID: rand.Text(), Score: 4})
		return err
	},
	"identify": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project}, Identity: &parley.Identity{External: "ann", Name: rand.Text()}})
		return err
	},
	"introduce": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Introduce(ctx, h.bare, parley.Introduction{External: rand.Text()})
	},
	"metadata": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.SayMetadata(ctx, h.bare, parley.Scalars{"plan": json.RawMessage(`"` + rand.Text() + `"`)})
	},
	"keep": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Keep(ctx, h.bare, func(json.RawMessage) (json.RawMessage, error) {
			return json.RawMessage(`{"a":"` + rand.Text() + `"}`), nil
		})
		return err
	},
	"track": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Track(ctx, h.bare, parley.Tracking{Timezone: rand.Text()})
	},
	"prove": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.Prove(ctx, h.bare, parley.Identity{External: "ann", Name: rand.Text()})
		return err
	},
	"mailed": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Mailed(ctx, parleytest.Project, h.session.ID, h.upto)
	},
	"ticket": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.NewConsoleTicket(ctx, h.operator(), parley.PrivateKey{Project: parleytest.Project, ID: "k"})
		return err
	},
	"note who it is": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.NoteIdentified(ctx, h.bare, h.opened, parley.EntryID(rand.Text()))
		return err
	},
	"turn to notify": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.NoticeTurn(ctx, parleytest.Project, parley.WaySlack, parley.Awaiting{Session: h.session.ID, Told: parley.Told{Wait: 1}})
		return err
	},
	"review": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.PutReview(ctx, parleytest.Project, h.session.ID, parley.Review{Close: 2, At: time.Now().UnixMilli(), Summary: "more"})
	},
	"note who was told": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.PutTold(ctx, parleytest.Project, h.session.ID, parley.WayEmail, parley.Told{Wait: 1})
	},
	"rate once": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.RateOnce(ctx, h.contact, h.session.ID, parley.RateRequest{ID: parley.EntryID(rand.Text()), Score: 3})
		return err
	},
	"remove a public key": func(ctx context.Context, h helped, s *parley.Store) error {
		key, _, err := h.store.AddPublicKey(ctx, parleytest.Project, true)
		if err != nil {
			return err
		}
		return s.RemovePublicKey(ctx, parleytest.Project, key)
	},
	"typing": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.SetTyping(ctx, h.operator(), h.session.ID, human("Ola"), true)
		return err
	},
	"vouch": func(ctx context.Context, h helped, s *parley.Store) error {
		_, _, err := s.Vouch(ctx, h.operator(), parley.Identity{External: "ann", Name: rand.Text()})
		return err
	},
	"change whom one vouches for": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.ChangeVouched(ctx, h.operator(), h.id, func(parley.Contact) parley.Identity { return parley.Identity{Name: rand.Text()} })
		return err
	},
	"open a link": func(ctx context.Context, h helped, s *parley.Store) error {
		ticket, err := h.store.PutLink(ctx, h.session, h.upto)
		if err != nil {
			return err
		}
		_, _, err = s.OpenLink(ctx, parleytest.Project, ticket)
		return err
	},
	"change a page": func(ctx context.Context, h helped, s *parley.Store) error {
		_, m, err := h.store.PeekPage(ctx, h.contact, h.session.ID, true)
		if err != nil {
			return err
		}
		return s.ChangePage(ctx, &m, parley.PageChange{Add: map[string]int64{"shown": 1}})
	},
	"send a form": func(ctx context.Context, h helped, s *parley.Store) error {
		_, err := s.SubmitForm(ctx, h.contact, h.form())
		return err
	},
	"outcome of a form": func(ctx context.Context, h helped, s *parley.Store) error {
		form := h.form()
		if _, err := h.store.SubmitForm(ctx, h.contact, form); err != nil {
			return err
		}
		_, err := s.FormDone(ctx, h.contact, form, parley.ActionResult{Result: json.RawMessage(`{"status":200}`)})
		return err
	},
	"follow": func(ctx context.Context, h helped, s *parley.Store) error {
		return s.Follow(ctx, h.following(), func(_ context.Context, w parley.Stretch) (parley.Seq, error) { return h.upto, nil })
	},
}

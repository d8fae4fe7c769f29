package parley_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// faulty is a table of which one read, counted from 1, fails or brings items whose
// data are damaged.
type faulty struct {
	table.Table
	nth     int
	damages bool

	mu      sync.Mutex
	reads   int
	damaged bool // it brought one
}

func (f *faulty) read(items []table.Item, err error) ([]table.Item, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reads++; f.reads != f.nth || err != nil {
		return items, err
	}
	if !f.damages {
		return nil, table.ErrUnavailable
	}
	for _, item := range items {
		if item.String("data") != "" {
			item["data"], f.damaged = `{"id":`, true
		}
	}
	return items, nil
}

func (f *faulty) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	return f.read(f.Table.Get(ctx, consistent, keys...))
}

func (f *faulty) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	page, err = f.Table.Query(ctx, q)
	page.Items, err = f.read(page.Items, err)
	return page, err
}

// helped is what a scene of TestUnreadable has: a contact with two visitors, whose
// session waits for a person, was reviewed and rated, and has a webhook that was
// given up.
type helped struct {
	scene
	contact parley.Caller
	id      parley.ContactID
	session *parley.Session
	hook    parley.HookID
	answer  parley.EntryID
	secret  string // of a private key
	file    parley.FileID
	upto    parley.Seq
}

func (s scene) helped() helped {
	s.Helper()
	ctx := context.Background()
	h := helped{scene: s, contact: parleytest.Contact(s, s.store, s.visitor, "ann")}
	h.contact.Address = s.visitor.Address
	other := parleytest.Contact(s, s.store, parleytest.Visitor(s, s.store), "ann")
	h.id = h.contact.Contact
	h.session = parleytest.Turn(s, s.store, h.contact, "m1", "")
	parleytest.Turn(s, s.store, other, "m2", "")
	must := func(err error) {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
	}
	must(s.store.PutOperator(ctx, parleytest.Project, parley.Operator{ID: "op", Name: "Ola"}))
	_, secret, err := s.store.AddPrivateKey(ctx, parleytest.Project, parley.PrivateKey{Name: "a key", Operator: "op", Scopes: []parley.Scope{parley.ScopeRead}})
	must(err)
	h.secret = secret
	hook, _, err := s.store.PutHook(ctx, s.operator(), parley.Hook{URL: "https://hooks.example/", Events: []parley.HookEvent{parley.HookMessage}})
	must(err)
	h.hook = hook.ID
	_, err = s.store.Rate(ctx, h.contact, h.session.ID, 4, "good")
	must(err)
	must(s.store.PutReview(ctx, parleytest.Project, h.session.ID, parley.Review{Close: 1, At: time.Now().UnixMilli(), Summary: "a question"}))
	h.visitor = h.contact
	h.file = h.upload("a.txt")
	must(s.store.PutTold(ctx, parleytest.Project, h.session.ID, parley.WaySlack, parley.Told{Wait: 1, Times: 1}))
	_, err = s.store.MoveMark(ctx, h.contact, h.session.ID, parley.MarkSeen, 1)
	must(err)
	must(s.store.TakeOver(ctx, s.operator(), h.session.ID, human("Ola")))
	h.session = h.scene.sessionOf(h.contact, h.session.ID)
	h.upto = h.session.Seq
	for _, e := range parleytest.Entries(s, s.store, h.contact, h.session.ID) {
		if e.Author.Kind == parley.AuthorAI {
			h.answer = e.ID
		}
	}
	must(s.store.FailHook(ctx, parleytest.Project, parley.FailedHook{Session: h.session.ID, Hook: h.hook, Seq: h.upto, At: time.Now().UnixMilli()}))
	return h
}

func (s scene) sessionOf(c parley.Caller, id parley.SessionID) *parley.Session {
	s.Helper()
	got, err := s.store.Session(context.Background(), c, id)
	if err != nil {
		s.Fatal(err)
	}
	return got
}

// reading are calls that read, by name. Each can be made again after it failed.
var reading = map[string]func(h helped, s *parley.Store) error{
	"transcript": func(h helped, s *parley.Store) error {
		_, _, _, err := s.Transcript(context.Background(), h.contact, h.session.ID, parley.PageRequest{Limit: 10})
		return err
	},
	"news": func(h helped, s *parley.Store) error {
		_, err := s.Since(context.Background(), h.contact, h.session.ID, 0)
		return err
	},
	"full transcript": func(h helped, s *parley.Store) error {
		_, err := s.FullTranscript(context.Background(), h.contact, h.session.ID, 1e6)
		return err
	},
	"sessions": func(h helped, s *parley.Store) error {
		_, _, err := s.Sessions(context.Background(), h.contact, parley.PageRequest{Limit: 10})
		return err
	},
	"sessions with metadata": func(h helped, s *parley.Store) error {
		_, _, err := s.SessionsMatching(context.Background(), h.contact, parley.PageRequest{Limit: 10},
			parley.SessionFilter{Metadata: map[string]string{"plan": "gold"}})
		return err
	},
	"inbox": func(h helped, s *parley.Store) error {
		_, _, err := s.Inbox(context.Background(), h.operator(), parley.InboxRequest{PageRequest: parley.PageRequest{Limit: 10}})
		return err
	},
	"session of the inbox": func(h helped, s *parley.Store) error {
		_, err := s.ReadSession(context.Background(), h.operator(), h.session.ID, parley.PageRequest{Limit: 10})
		return err
	},
	"by number": func(h helped, s *parley.Store) error {
		_, err := s.ByNumber(context.Background(), h.operator(), h.session.ID.Number())
		return err
	},
	"ratings": func(h helped, s *parley.Store) error {
		_, _, err := s.Ratings(context.Background(), h.operator(), parley.PageRequest{Limit: 10})
		return err
	},
	"rating": func(h helped, s *parley.Store) error {
		_, err := s.Rating(context.Background(), h.contact, h.session.ID)
		return err
	},
	"totals": func(h helped, s *parley.Store) error {
		_, err := s.Totals(context.Background(), parleytest.Project, time.Now())
		return err
	},
	"figures": func(h helped, s *parley.Store) error {
		_, err := s.Figures(context.Background(), h.operator(), time.Now(), time.Now())
		return err
	},
	"reviews": func(h helped, s *parley.Store) error {
		_, err := s.Reviews(context.Background(), h.operator(), h.session.ID)
		return err
	},
	"what was said": func(h helped, s *parley.Store) error {
		_, err := s.Said(context.Background(), parleytest.Project, h.session.ID, h.upto, 10)
		return err
	},
	"marks": func(h helped, s *parley.Store) error {
		_, err := s.Marks(context.Background(), h.contact, h.session.ID)
		return err
	},
	"operators": func(h helped, s *parley.Store) error {
		_, err := s.Operators(context.Background(), parleytest.Project)
		return err
	},
	"operator": func(h helped, s *parley.Store) error {
		_, err := s.PeekOperator(context.Background(), parleytest.Project, "op")
		return err
	},
	"private keys": func(h helped, s *parley.Store) error {
		_, err := s.PrivateKeys(context.Background(), parleytest.Project)
		return err
	},
	"private key": func(h helped, s *parley.Store) error {
		_, err := s.PrivateKeyOf(context.Background(), h.secret)
		return err
	},
	"sweep": func(h helped, s *parley.Store) error {
		swept, err := s.Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive,
			Wake: func(context.Context, parley.Following) error { return nil }})
		if swept.Failed > 0 { // and is done again
			err = parley.ErrUnavailable
		}
		return err
	},
	"mail that is due": func(h helped, s *parley.Store) error {
		h.session.Unmet = 1
		_, err := s.MailDue(context.Background(), parley.Stretch{Session: h.session, Entries: []parley.Entry{
			{Seq: h.upto, Author: human("Ola"), Text: "Here I am."}}})
		return err
	},
	"link of a file": func(h helped, s *parley.Store) error {
		_, err := s.FileLink(context.Background(), h.file, s.FileSecret(parleytest.Project, h.file))
		return err
	},
	"settings": func(h helped, s *parley.Store) error {
		_, err := s.Settings(context.Background(), parleytest.Project)
		return err
	},
	"webhooks that were given up": func(h helped, s *parley.Store) error {
		_, _, err := s.FailedHooks(context.Background(), h.operator(), h.hook, parley.PageRequest{Limit: 10})
		return err
	},
	"state of a webhook": func(h helped, s *parley.Store) error {
		_, err := s.HookState(context.Background(), parleytest.Project, h.session.ID, h.hook)
		return err
	},
	"contact": func(h helped, s *parley.Store) error {
		_, err := s.ContactOf(context.Background(), h.contact)
		return err
	},
	"vouched": func(h helped, s *parley.Store) error {
		_, err := s.Vouched(context.Background(), h.session)
		return err
	},
	"told": func(h helped, s *parley.Store) error {
		_, err := s.Told(context.Background(), parleytest.Project, h.session.ID, parley.WaySlack, 1)
		return err
	},
	"log of a run": func(h helped, s *parley.Store) error {
		_, err := s.ReadLog(context.Background(), parley.RunRef{Project: parleytest.Project, Session: h.session.ID, Run: "m1"}, 0, true)
		return err
	},
	"place of a run": func(h helped, s *parley.Store) error {
		_, _, err := s.RunPlace(context.Background(), parley.RunRef{Project: parleytest.Project, Session: h.session.ID, Run: "m1"})
		return err
	},
	"outcome": func(h helped, s *parley.Store) error {
		_, err := s.Outcome(context.Background(), parley.RunRef{Project: parleytest.Project, Session: h.session.ID, Run: "m1"}, 0)
		return err
	},
	"run": func(h helped, s *parley.Store) error {
		_, err := s.OpenRun(context.Background(), h.contact, h.session.ID, "m1")
		return err
	},
	"token": func(h helped, s *parley.Store) error { return s.CheckVisitor(context.Background(), h.contact) },
}

// dataless are calls that read items whose data they have no use for.
var dataless = map[string]bool{"full transcript": true, "state of a webhook": true}

// changing are calls that write after they have read.
var changing = map[string]func(h helped, s *parley.Store) error{
	"block": func(h helped, s *parley.Store) error {
		return s.BlockContact(context.Background(), parleytest.Project, h.id, true)
	},
	"send": func(h helped, s *parley.Store) error {
		r := say("m9", h.session.ID)
		r.Attachments = []parley.FileID{h.file}
		_, err := s.Send(context.Background(), h.contact, r)
		return err
	},
	"vote": func(h helped, s *parley.Store) error {
		_, err := s.Vote(context.Background(), h.contact, h.session.ID, h.answer, parley.VoteUp)
		return err
	},
	"reply": func(h helped, s *parley.Store) error {
		_, err := s.Reply(context.Background(), h.operator(), human("Ola"), parley.ReplyRequest{ID: "r1", Session: h.session.ID, Content: "Here I am."})
		return err
	},
	"hand back": func(h helped, s *parley.Store) error {
		return s.HandBack(context.Background(), h.operator(), h.session.ID, human("Ola"))
	},
	"archive": func(h helped, s *parley.Store) error {
		return s.Archive(context.Background(), h.operator(), h.session.ID, true)
	},
	"resolve": func(h helped, s *parley.Store) error {
		return s.Resolve(context.Background(), h.contact, h.session.ID, human("me"))
	},
	"attributes": func(h helped, s *parley.Store) error {
		return s.SetAttributes(context.Background(), h.operator(), h.session.ID, map[string]string{"plan": "gold"})
	},
	"mark": func(h helped, s *parley.Store) error {
		_, err := s.MoveMark(context.Background(), h.contact, h.session.ID, parley.MarkSeen, h.upto)
		return err
	},
	"link of a mail": func(h helped, s *parley.Store) error {
		_, err := s.PutLink(context.Background(), h.session, h.upto)
		return err
	},
	"replay": func(h helped, s *parley.Store) error {
		return s.ReplayHook(context.Background(), h.operator(), h.hook, h.session.ID, h.upto)
	},
	"rate": func(h helped, s *parley.Store) error {
		_, err := s.Rate(context.Background(), h.contact, h.session.ID, 2, "")
		return err
	},
	"remove an operator": func(h helped, s *parley.Store) error {
		return s.RemoveOperator(context.Background(), parleytest.Project, "op")
	},
}

// TestUnreadable: a call of which a read fails says that, whichever read it is, and
// so does one that meets a damaged item: what could not be read is not taken for
// what is not there.
func TestUnreadable(t *testing.T) {
	for _, kind := range []struct {
		name    string
		calls   map[string]func(helped, *parley.Store) error
		damages bool
	}{{"reading", reading, false}, {"changing", changing, false}, {"damaged", reading, true}} {
		t.Run(kind.name, func(t *testing.T) {
			for name, call := range kind.calls {
				if kind.damages && dataless[name] {
					continue
				}
				onBolt(t, func(s scene) {
					h := s.helped()
					for n := 1; ; n++ {
						tbl := &faulty{Table: s.table, nth: n, damages: kind.damages}
						err := call(h, s.over(tbl))
						switch {
						case tbl.reads < n: // all is well
							s.want(name, err, "")
							if n == 1 {
								s.Errorf("%s reads nothing", name)
							}
							return
						case kind.damages && tbl.damaged && (err == nil || is(err, parley.ErrNotFound)):
							s.Errorf("%s with damage in read %d = %v", name, n, err)
						case !kind.damages && !is(err, parley.ErrUnavailable):
							s.Errorf("%s without read %d = %v, want %v", name, n, err, parley.ErrUnavailable)
						}
					}
				})
			}
		})
	}
}

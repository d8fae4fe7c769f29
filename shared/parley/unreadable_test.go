package parley_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// faulty is a table of which one read, counted from 1, fails or brings items whose
// data are damaged, or one write fails, or in which all items of a kind are damaged.
type faulty struct {
	table.Table
	nth     int
	damages bool
	writes  bool            // it counts writes, not reads
	kind    string          // of the items that are damaged, as kindOf says
	kinds   map[string]bool // of the items that were read, if it is made

	mu      sync.Mutex
	calls   int
	failed  string // what failed or was damaged
	damaged bool   // it brought one
	after   int    // writes that came after that
}

func (f *faulty) read(of string, items []table.Item, err error) ([]table.Item, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writes || err != nil {
		return items, err
	}
	f.calls++
	if f.calls == f.nth && !f.damages {
		f.failed = of
		return nil, table.ErrUnavailable
	}
	for _, item := range items {
		if item.String("data") == "" {
			continue
		}
		kind := kindOf(item.Key())
		if f.kinds != nil {
			f.kinds[kind] = true
		}
		if f.calls == f.nth || kind == f.kind {
			item["data"], f.damaged, f.failed = `{"id":`, true, of
		}
	}
	return items, nil
}

func (f *faulty) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	items, err := f.Table.Get(ctx, consistent, keys...)
	return f.read(keys[0].PK, items, err)
}

func (f *faulty) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	page, err = f.Table.Query(ctx, q)
	page.Items, err = f.read(q.Partition, page.Items, err)
	return page, err
}

func (f *faulty) Write(ctx context.Context, actions ...table.Action) error {
	f.mu.Lock()
	if f.writes {
		f.calls++
	}
	if f.damaged {
		f.after++
	}
	fails := f.writes && f.calls == f.nth
	if fails {
		f.failed = map[bool]string{true: "change of "}[actions[0].Kind == table.UpdateAction] + actions[0].Key.PK
	}
	f.mu.Unlock()
	if fails {
		return table.ErrUnavailable
	}
	return f.Table.Write(ctx, actions...)
}

// helped is what a scene of TestUnreadable has: a contact with two visitors, whose
// session has attributes and a person, was reviewed and rated, and has a webhook that
// was given up.
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
	bare    parley.Caller    // who has said, had kept and opened something
	opened  parley.SessionID // what it opened
}

// following is a follower of the session, of which nothing was followed yet.
func (h helped) following() parley.Following {
	return parley.Following{Project: parleytest.Project, Session: h.session.ID, Follower: parley.FollowerReview}
}

// m1 is the run of the session's first message.
func (h helped) m1() parley.RunRef {
	return parley.RunRef{Project: parleytest.Project, Session: h.session.ID, Run: "m1"}
}

// asked is a run that the contact waits for, in a session of its own.
func (h helped) asked() *parley.Claim {
	h.Helper()
	return parleytest.Send(h, h.store, h.contact, say(parley.EntryID(rand.Text()), "")).Claim
}

// form is a form that the contact was asked to fill in, in a session of its own.
func (h helped) form() parley.FormRequest {
	id := h.asksForForm(parley.EntryID(rand.Text()))
	return parley.FormRequest{Session: id, Message: h.newest(id).ID, Call: "2", Arguments: json.RawMessage(`{"order":"7"}`)}
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
	must(s.store.SetAttributes(ctx, s.operator(), h.session.ID, map[string]string{"plan": "free"}))
	must(s.store.TakeOver(ctx, s.operator(), h.session.ID, human("Ola")))
	h.session = h.scene.sessionOf(h.contact, h.session.ID)
	h.upto = h.session.Seq
	for _, e := range parleytest.Entries(s, s.store, h.contact, h.session.ID) {
		if e.Author.Kind == parley.AuthorAI {
			h.answer = e.ID
		}
	}
	must(s.store.FailHook(ctx, parleytest.Project, parley.FailedHook{Session: h.session.ID, Hook: h.hook, Seq: h.upto, At: time.Now().UnixMilli()}))
	h.bare, h.opened = s.bare(), "opened"
	must(s.store.Introduce(ctx, h.bare, parley.Introduction{External: "bea"}))
	_, err = s.store.Keep(ctx, h.bare, func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(`{"a":"b"}`), nil })
	must(err)
	must(s.store.Track(ctx, h.bare, parley.Tracking{Language: "en"}))
	h.opens(h.bare, h.opened, "hello")
	tab := s.tab("t1=")
	tab.Caller = h.bare
	s.connect(tab)
	console := s.console("c1=")
	if console.Key, err = s.store.PrivateKeyOf(ctx, h.secret); err != nil {
		s.Fatal(err)
	}
	s.connect(console)
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

// TestUnreadable: a call of which a read fails says that, whichever read it is, and
// so does one that meets a damaged item: what could not be read is not taken for
// what is not there, and nothing is written after it.
func TestUnreadable(t *testing.T) {
	for _, kind := range []struct {
		name    string
		calls   map[string]call
		damages bool
	}{{"reading", reading, false}, {"changing", changing, false}, {"damaged", reading, true}, {"damaged before a change", changing, true}} {
		for name, do := range kind.calls {
			if kind.damages && undamaged[name] {
				continue
			}
			t.Run(kind.name+"/"+name, func(t *testing.T) {
				onBolt(t, func(s scene) {
					h := s.helped()
					for n := 1; ; n++ {
						tbl := &faulty{Table: s.table, nth: n, damages: kind.damages}
						err := do(context.Background(), h, s.over(tbl))
						switch {
						case tbl.calls < n: // all is well
							s.want(name, err, "")
							if n == 1 && kind.name == "reading" {
								s.Errorf("%s reads nothing", name)
							}
							return
						case err == nil && !kind.damages && done.reads[name] == n:
							return
						case kind.damages && tbl.damaged && (err == nil || is(err, parley.ErrNotFound)):
							s.Errorf("%s with damage in read %d = %v", name, n, err)
						case tbl.after > 0:
							s.Errorf("%s with damage in read %d wrote %d times", name, n, tbl.after)
						case !kind.damages && !is(err, parley.ErrUnavailable):
							s.Errorf("%s without read %d = %v, want %v", name, n, err, parley.ErrUnavailable)
						}
					}
				})
			})
		}
	}
}

// TestUnwritable: a call of which a write fails says that, whichever write it is, and
// can be made again: what was not stored is not taken for what was.
func TestUnwritable(t *testing.T) {
	for name, do := range changing {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				h := s.helped()
				for n := 1; ; n++ {
					tbl := &faulty{Table: s.table, nth: n, writes: true}
					err := do(context.Background(), h, s.over(tbl))
					if tbl.calls < n { // all is well
						s.want(name, err, "")
						if n == 1 {
							s.Errorf("%s writes nothing", name)
						}
						return
					}
					if err == nil && done.writes[name] == n {
						return
					}
					if !is(err, parley.ErrUnavailable) {
						s.Errorf("%s without write %d = %v, want %v", name, n, err, parley.ErrUnavailable)
					}
				}
			})
		})
	}
}

// kindOf says of what an item is and which it is of that, as in "visitor said".
func kindOf(k table.Key) string {
	_, of, _ := strings.Cut(k.PK, "/")
	of, _, _ = strings.Cut(of, "/")
	which, _, _ := strings.Cut(k.SK, "/")
	return of + " " + strings.TrimRight(which, "0123456789~")
}

// TestSpoiled: a call that has a use for what an item says tells that it cannot be read,
// whichever of those that it reads that is, and writes nothing after it.
func TestSpoiled(t *testing.T) {
	for _, calls := range []map[string]call{reading, changing} {
		for name, do := range calls {
			if strings.HasPrefix(name, "erase ") {
				continue // what goes need not be read, see TestJobFails
			}
			t.Run(name, func(t *testing.T) {
				kinds := map[string]bool{}
				onBolt(t, func(s scene) {
					s.want(name, do(context.Background(), s.helped(), s.over(&faulty{Table: s.table, kinds: kinds})), "")
				})
				delete(kinds, passedOn[name])
				for kind := range kinds {
					onBolt(t, func(s scene) {
						tbl := &faulty{Table: s.table, kind: kind}
						err := do(context.Background(), s.helped(), s.over(tbl))
						told := err != nil && !is(err, parley.ErrNotFound)
						if told == slices.Contains(unused[kind], name) || told && tbl.after > 0 {
							s.Errorf("%s, with %q spoiled = %v, and %d writes after it", name, kind, err, tbl.after)
						}
					})
				}
			})
		}
	}
}

// passedOn is of what a call hands on what it says as it is, whatever that is.
var passedOn = map[string]string{"keep": "visitor kept", "what a page has had kept": "visitor kept"}

// unused says which calls read items of a kind for other attributes than what those say:
// of a visitor, who it is and whether it is blocked. What a run gives back to budgets may
// be lost.
var unused = map[string][]string{
	"visitor -": {"a look with typing", "a look", "full transcript of news", "full transcript", "marks", "newest entries", "news of a page",
		"news with typing", "news", "note who it is again", "open a page", "page", "rating", "run", "session", "transcript", "what a page has had kept",
		"cancel", "checkpoint", "close", "complete an upload", "end of a session", "keep", "link of a mail", "mark", "note who it is",
		"outcome of a form", "block", "rate once", "rate", "resolve", "send a form", "send", "track", "vote"},
	"contact -":        {"block"},
	"run ":             {"end of a run"},
	"project operator": {"console"},
	"session entry":    {"block"},
	"session mark":     {"session of the inbox", "mark"},
	"session hook":     {"state of a webhook"},
	"session review":   {"whether there is a review"},
}

package parley_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// acquainted is who a browser or a server says that somebody is.
func (s scene) acquainted(i parley.Identity, proven bool, address string) parley.Caller {
	s.Helper()
	got, err := s.store.Acquaint(context.Background(), parley.AcquaintRequest{Project: parleytest.Project, Identity: i, Proven: proven, Address: address})
	if err != nil {
		s.Fatalf("acquaint: %v", err)
	}
	return parley.Caller{Project: parleytest.Project, Visitor: got.Visitor.ID, Contact: got.Visitor.Contact,
		Generation: got.Visitor.Generation, Unproven: !proven, Address: address}
}

func (s scene) begin(c parley.Caller, external string, metadata map[string]string) *parley.Session {
	s.Helper()
	c.External = external
	session, err := s.store.Begin(context.Background(), c, parley.BeginRequest{Channel: parley.ChannelOpenCX, Metadata: metadata})
	if err != nil {
		s.Fatalf("begin: %v", err)
	}
	return session
}

func (s scene) where(c parley.Caller, w parley.SessionFilter) (ids []parley.SessionID) {
	s.Helper()
	r := parley.PageRequest{Limit: 2}
	for {
		page, next, err := s.store.SessionsMatching(context.Background(), c, r, w)
		if err != nil {
			s.Fatalf("list: %v", err)
		}
		for _, session := range page {
			ids = append(ids, session.ID)
		}
		if next == "" {
			return ids
		}
		r.Cursor = next
	}
}

// TestAcquaint: one person is one contact however often a page asks, and whom
// nobody vouches for is never the one for whom somebody does.
func TestAcquaint(t *testing.T) {
	onBoth(t, func(s scene) {
		said := parley.Identity{Email: "Ann@example.com", Name: "Ann"}
		one := s.acquainted(said, false, "203.0.113.1")
		s.unchanged("asking again", func() {
			if again := s.acquainted(said, false, "203.0.113.1"); again != one {
				s.Errorf("again = %+v, want %+v", again, one)
			}
		})
		elsewhere := s.acquainted(parley.Identity{Email: " ANN@example.com"}, false, "203.0.113.2")
		if elsewhere.Contact != one.Contact || elsewhere.Visitor == one.Visitor {
			s.Errorf("from another address = %+v, want another visitor of %s", elsewhere, one.Contact)
		}
		proven := s.acquainted(parley.Identity{Email: "ann@example.com"}, true, "203.0.113.3")
		if proven.Contact == one.Contact {
			s.Error("a typed address is the proven contact")
		}
		a, b := s.acquainted(parley.Identity{}, false, "203.0.113.4"), s.acquainted(parley.Identity{}, false, "203.0.113.4")
		if a.Visitor == b.Visitor || a.Contact != "" {
			s.Errorf("two strangers = %+v, %+v", a, b)
		}
		mine, theirs := s.begin(one, "device", nil), s.begin(proven, "device", nil)
		if mine.Owner.Proven || !theirs.Owner.Proven {
			s.Errorf("owners = %+v, %+v", mine.Owner, theirs.Owner)
		}
		for _, try := range []struct {
			who parley.Caller
			id  parley.SessionID
		}{{one, theirs.ID}, {elsewhere, theirs.ID}, {proven, mine.ID}, {a, mine.ID}} {
			_, err := s.store.FullTranscript(context.Background(), try.who, try.id, 1<<20)
			s.want("another's session", err, "not_found")
		}
		if _, err := s.store.FullTranscript(context.Background(), elsewhere, mine.ID, 1<<20); err != nil {
			s.Errorf("the contact's session from another address: %v", err)
		}
		if err := s.store.BlockVisitor(context.Background(), parleytest.Project, one.Visitor, true); err != nil {
			s.Fatal(err)
		}
		_, err := s.store.Acquaint(context.Background(), parley.AcquaintRequest{Project: parleytest.Project, Identity: said, Address: "203.0.113.1"})
		s.want("a blocked visitor's page", err, "blocked")
		_, err = s.store.Acquaint(context.Background(), parley.AcquaintRequest{Project: parleytest.Project, Proven: true})
		s.want("a server that names nobody", err, "invalid_field")
	})
}

// TestWhere: a list keeps what is asked for, in order, over several pages.
func TestWhere(t *testing.T) {
	onBoth(t, func(s scene) {
		ann := s.acquainted(parley.Identity{Email: "ann@example.com"}, false, "")
		shop := s.acquainted(parley.Identity{Email: "ann@example.com"}, true, "")
		const onPhone, onLaptop, other = "0b06dc5c-2a7e-4f0b-9f5d-0d3c1c3a0001", "0b06dc5c-2a7e-4f0b-9f5d-0d3c1c3a0002", "0b06dc5c-2a7e-4f0b-9f5d-0d3c1c3a0003"
		var phone, laptop, pro []parley.SessionID
		for i := range 5 {
			phone = append(phone, s.begin(ann, onPhone, nil).ID)
			laptop = append(laptop, s.begin(ann, onLaptop, nil).ID)
			plan := map[string]string{"plan": []string{"pro", "free"}[i%2], "external_id": "x"}
			if id := s.begin(shop, "x", plan).ID; i%2 == 0 {
				pro = append(pro, id)
			}
			await(20 * 60e9)
		}
		for _, list := range [][]parley.SessionID{phone, laptop, pro} {
			slices.Reverse(list)
		}
		for _, want := range []struct {
			who parley.Caller
			w   parley.SessionFilter
			ids []parley.SessionID
		}{
			{ann, parley.SessionFilter{External: onPhone}, phone},
			{ann, parley.SessionFilter{External: onLaptop}, laptop},
			{ann, parley.SessionFilter{External: other}, nil},
			{ann, parley.SessionFilter{}, nil},
			{shop, parley.SessionFilter{External: "x", Metadata: map[string]string{"plan": "pro"}}, pro},
			{shop, parley.SessionFilter{External: "y"}, nil},
		} {
			if got := s.where(want.who, want.w); !slices.Equal(got, want.ids) {
				s.Errorf("list of %+v = %v, want %v", want.w, got, want.ids)
			}
		}
		if all := s.where(shop, parley.SessionFilter{}); len(all) != 5 {
			s.Errorf("all sessions = %v", all)
		}
	})
}

// TestVouched: whose session it is is known where somebody vouched for them, and not
// where only a browser said so.
func TestVouched(t *testing.T) {
	onBolt(t, func(s scene) {
		ann := parleytest.Contact(s, s.store, s.visitor, "ann").Contact
		for owner, want := range map[parley.Owner]parley.ContactID{
			{Contact: ann, Proven: true}:  ann,
			{Contact: ann}:                "",
			{Proven: true}:                "",
			{Contact: "c1", Proven: true}: "", // it is gone
		} {
			got, err := s.store.Vouched(context.Background(), &parley.Session{Project: parleytest.Project, Owner: owner})
			if err != nil || got.ID != want {
				s.Errorf("vouched for in the session of %+v is %q, %v, want %q", owner, got.ID, err, want)
			}
		}
	})
}

// TestWhereEndsEarly: a page that finds nothing among very many ends, and those
// after it find what is there.
func TestWhereEndsEarly(t *testing.T) {
	onBolt(t, func(s scene) {
		ann := s.acquainted(parley.Identity{Email: "ann@example.com"}, true, "")
		oldest := s.begin(ann, "rare", nil).ID
		for range 1500 {
			await(60e9)
			s.begin(ann, "common", nil)
		}
		page, next, err := s.store.SessionsMatching(context.Background(), ann, parley.PageRequest{}, parley.SessionFilter{External: "rare"})
		if err != nil || len(page) != 0 || next == "" {
			s.Errorf("first page = %d sessions, next %q, %v", len(page), next, err)
		}
		if got := s.where(ann, parley.SessionFilter{External: "rare"}); !slices.Equal(got, []parley.SessionID{oldest}) {
			s.Errorf("all pages = %v", got)
		}
		if got := s.where(ann, parley.SessionFilter{External: "common"}); len(got) != 1500 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 1500 {
			s.Errorf("%d of 1,500", len(got))
		}
	})
}

// TestWhole: everything in order, whatever the size; no write; and no more than
// 2 read units besides what the entries weigh.
func TestWhole(t *testing.T) {
	onBoth(t, func(s scene) {
		session := s.turn("m1")
		for i := range 9 {
			session = parleytest.Turn(s, s.store, s.visitor, parley.EntryID(fmt.Sprint("n", i)), session.ID)
		}
		if err := s.store.Close(context.Background(), s.visitor, session.ID); err != nil {
			s.Fatal(err)
		}
		m := meter.New(meter.Config{Table: s.table})
		metered := s.over(m)
		if _, err := metered.Project(context.Background(), parleytest.Project); err != nil {
			s.Fatal(err)
		}
		m.Reset()
		var whole parley.FullTranscript
		s.unchanged("reading whole", func() {
			var err error
			if whole, err = metered.FullTranscript(context.Background(), s.visitor, session.ID, 1<<20); err != nil {
				s.Fatal(err)
			}
		})
		if whole.Cut || len(whole.Entries) != 20 || whole.Session.State != parley.StateClosed || whole.Session.Settles == 0 {
			s.Errorf("whole = %d entries, cut %v, %+v", len(whole.Entries), whole.Cut, whole.Session)
		}
		for i, e := range whole.Entries {
			if e.Seq != parley.Seq(i+1) {
				s.Fatalf("entry %d is number %d", i, e.Seq)
			}
		}
		if got := m.Counts(); got.ReadUnits() > 2+1 || got.WriteUnits() != 0 {
			s.Errorf("%g read units, %d write units", got.ReadUnits(), got.WriteUnits())
		}
		cut, err := s.store.FullTranscript(context.Background(), s.visitor, session.ID, 2000)
		if n := len(cut.Entries); err != nil || !cut.Cut || n == 0 || n == 20 || cut.Entries[n-1].Seq != 20 {
			s.Errorf("cut = %d entries, %v, %v", n, cut.Cut, err)
		}
	})
}

// lagging is a table whose replicas are behind: of a page that need not be
// consistent the newest entries are missing, and one in the middle.
type lagging struct{ table.Table }

func (l lagging) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := l.Table.Query(ctx, q)
	if !q.Consistent && q.Descending && len(page.Items) > 4 {
		page.Items = slices.Concat(page.Items[2:4], page.Items[5:])
	}
	return page, err
}

// TestWholeOverLaggingReplica: what a page lacks is read again, so that nothing
// that was answered before is missing.
func TestWholeOverLaggingReplica(t *testing.T) {
	onBoth(t, func(s scene) {
		session := s.turn("m1")
		for i := range 4 {
			session = parleytest.Turn(s, s.store, s.visitor, parley.EntryID(fmt.Sprint("n", i)), session.ID)
		}
		whole, err := s.over(lagging{s.table}).FullTranscript(context.Background(), s.visitor, session.ID, 1<<20)
		if err != nil || len(whole.Entries) != 10 {
			s.Fatalf("whole = %d entries, %v", len(whole.Entries), err)
		}
		for i, e := range whole.Entries {
			if e.Seq != parley.Seq(i+1) {
				s.Errorf("entry %d is number %d", i, e.Seq)
			}
		}
	})
}

// TestWordsStayWithTheirVisitor: what a page says of somebody replaces nothing that
// another page or the server has said, and is refused before anything is written.
func TestWordsStayWithTheirVisitor(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		ann := s.acquainted(parley.Identity{Email: "ann@example.com", Name: "Ann", Metadata: map[string]string{"plan": "pro"}}, false, "203.0.113.1")
		id := s.begin(ann, "phone", nil).ID
		seen := func() parley.Detail {
			s.Helper()
			d, err := s.store.ReadSession(ctx, s.operator(), id, parley.PageRequest{})
			if err != nil {
				s.Fatal(err)
			}
			return d
		}
		inbox := func() parley.Contact {
			s.Helper()
			items, _, err := s.store.Inbox(ctx, s.operator(), parley.InboxRequest{})
			if err != nil || len(items) != 1 {
				s.Fatalf("inbox = %d, %v", len(items), err)
			}
			return items[0].Person
		}
		if d := seen(); d.Visitor.Name != "Ann" || d.Visitor.Metadata["plan"] != "pro" || d.Contact.Email != "ann@example.com" {
			s.Fatalf("operators read %+v, %+v", d.Visitor, d.Contact)
		}
		before, listed := seen(), inbox()
		stranger := s.acquainted(parley.Identity{Email: "ann@example.com", Name: "Mallory", Metadata: map[string]string{"plan": "none"}}, false, "203.0.113.2")
		after := seen()
		if !reflect.DeepEqual(after.Contact, before.Contact) || after.Visitor.Name != "Ann" || after.Visitor.Metadata["plan"] != "pro" || inbox().Name != listed.Name || listed.Name != "Ann" {
			s.Errorf("after a stranger's words operators read %+v, %+v, in the inbox %+v", after.Visitor, after.Contact, inbox())
		}
		if me, err := s.store.ContactOf(ctx, stranger); err != nil || me.Name != "Mallory" {
			s.Errorf("the stranger is %+v, %v", me, err)
		}
		// What the same visitor says anew is heard.
		s.acquainted(parley.Identity{Email: "ann@example.com", Name: "Ann B."}, false, "203.0.113.1")
		if d := seen(); d.Visitor.Name != "Ann B." || d.Visitor.Metadata["plan"] != "pro" {
			s.Errorf("operators read %+v", d.Visitor)
		}

		b := generous().Budgets
		b.IdentifyPerHour = 1
		s.limitedBy(b)
		await(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
		s.acquainted(parley.Identity{Email: "one@example.com"}, false, "203.0.113.9")
		for name, i := range map[string]parley.Identity{
			"a new contact":           {Email: "two@example.com"},
			"a known contact":         {Email: "ann@example.com", Name: "Mallory"},
			"nobody in particular":    {Name: "Mallory"},
			"other words of the same": {Email: "one@example.com", Name: "Mallory"},
		} {
			s.unchanged(name, func() {
				_, err := s.store.Acquaint(ctx, parley.AcquaintRequest{Project: parleytest.Project, Identity: i, Address: "203.0.113.9"})
				s.want(name, err, "identify_limit")
			})
		}
		s.unchanged("a signed identity", func() {
			_, err := s.store.Identify(ctx, parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project, Address: "203.0.113.9"},
				Identity: &parley.Identity{External: "u9", Name: "New"}})
			s.want("a signed identity", err, "identify_limit")
			_, err = s.store.Proven(ctx, parley.Caller{Project: parleytest.Project, Address: "203.0.113.9"}, parley.Identity{External: "u9"})
			s.want("a message's identity", err, "identify_limit")
		})
	})
}

// TestGuessableExternalID: a stranger who types somebody's e-mail and their customer
// number is not shown what was said under them, nor is anybody else whom nobody
// vouches for; who is vouched for is, and so is an anonymous browser by its token.
func TestGuessableExternalID(t *testing.T) {
	onBoth(t, func(s scene) {
		email := parley.Identity{Email: "ann@example.com"}
		ann, stranger := s.acquainted(email, false, "192.0.2.1"), s.acquainted(email, false, "192.0.2.2")
		shop := s.acquainted(email, true, "")
		nobody, another := s.acquainted(parley.Identity{}, false, ""), s.acquainted(parley.Identity{}, false, "")
		for _, external := range []string{"42", "ann@example.com", "0b06dc5c-2a7e-1f0b-9f5d-0d3c1c3a0001", "0b06dc5c2a7e4f0b9f5d0d3c1c3a0001"} {
			s.begin(ann, external, nil)
			mine, theirs := s.begin(shop, external, nil).ID, s.begin(nobody, external, nil).ID
			filter := parley.SessionFilter{External: external}
			for _, want := range []struct {
				who string
				c   parley.Caller
				ids []parley.SessionID
			}{{"a stranger", stranger, nil}, {"nobody vouched for", ann, nil}, {"somebody vouched for", shop, []parley.SessionID{mine}},
				{"an anonymous browser", nobody, []parley.SessionID{theirs}}, {"another one", another, nil}} {
				if got := s.where(want.c, filter); !slices.Equal(got, want.ids) {
					s.Errorf("%s by %q = %v, want %v", want.who, external, got, want.ids)
				}
			}
		}
		if err := s.store.BlockVisitor(context.Background(), stranger.Project, stranger.Visitor, true); err != nil {
			s.Fatal(err)
		}
		_, _, err := s.store.SessionsMatching(context.Background(), stranger, parley.PageRequest{}, parley.SessionFilter{External: "42"})
		s.want("who is blocked", err, "blocked")
	})
}

// TestKeepable: of what a signature says beside an id, what cannot be kept is cut or
// left out.
func TestKeepable(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct{ said, want parley.Identity }{
		"all can be kept": {parley.Identity{External: "ann", Email: x(254), Name: x(parley.MaxNameBytes), Picture: x(parley.MaxPageBytes)},
			parley.Identity{External: "ann", Email: x(254), Name: x(parley.MaxNameBytes), Picture: x(parley.MaxPageBytes)}},
		"all is too long": {parley.Identity{External: "ann", Email: x(255), Name: x(parley.MaxNameBytes + 1), Picture: x(parley.MaxPageBytes + 1)},
			parley.Identity{External: "ann", Name: x(parley.MaxNameBytes)}},
		"blanks for an address": {parley.Identity{External: "ann", Email: " "}, parley.Identity{External: "ann"}},
	} {
		if got := test.said.Keepable(); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: kept is %+v, want %+v", name, got, test.want)
		}
	}
}

// TestAcquaintIsChecked: who says who they are is turned away for what cannot be kept,
// and where a project wants a signature for having none.
func TestAcquaintIsChecked(t *testing.T) {
	onBolt(t, func(s scene) {
		acquaint := func(i parley.Identity, proven bool) error {
			_, err := s.store.Acquaint(context.Background(), parley.AcquaintRequest{Project: parleytest.Project, Channel: parley.ChannelOpenCX, Identity: i, Proven: proven})
			return err
		}
		long := strings.Repeat("x", parley.MaxNameBytes+1)
		s.want("a name", acquaint(parley.Identity{Name: long[1:]}, false), "")
		s.want("a longer name", acquaint(parley.Identity{Name: long}, false), "too_large")
		s.want("metadata", acquaint(parley.Identity{Metadata: map[string]string{"a": strings.Repeat("x", parley.MaxMetadataBytes+1)}}, false), "too_large")
		s.want("a signature for nobody", acquaint(parley.Identity{Name: "x"}, true), "invalid_field")
		for name, i := range map[string]parley.Identity{
			"context":   {External: "ann", Context: json.RawMessage(`[]`)},
			"overrides": {External: "ann", Overrides: &parley.Overrides{Body: map[string]json.RawMessage{"a": json.RawMessage("{")}}},
			"an id":     {External: "a\x00"},
		} {
			s.want(name, acquaint(i, true), "invalid_field")
		}
		p := generous()
		p.TokenRequired = true
		parleytest.Put(s, s.store, p)
		s.store = s.over(s.table)
		s.want("without a signature", acquaint(parley.Identity{External: "bob"}, false), "identity_required")
		s.want("with one", acquaint(parley.Identity{External: "bob"}, true), "")
	})
}

// TestVouchedWordsReplace: what somebody vouches for replaces what was known, as far as
// it says anything.
func TestVouchedWordsReplace(t *testing.T) {
	onBolt(t, func(s scene) {
		vouch := func(i parley.Identity) parley.Contact {
			s.Helper()
			known, _, err := s.store.Vouch(context.Background(), s.operator(), i)
			if err != nil {
				s.Fatal(err)
			}
			if known, err = s.store.VouchedContact(context.Background(), s.operator(), known.ID); err != nil {
				s.Fatal(err)
			}
			return known
		}
		first := vouch(parley.Identity{External: "ann", Email: "ann@example.com", Name: "Ann", Picture: "https://shop.example/a.png",
			Metadata: map[string]string{"plan": "gold"}, Context: json.RawMessage(`{"a":1}`), Overrides: &parley.Overrides{Headers: map[string]string{"X-A": "1"}}})
		if first.Metadata["plan"] != "gold" || string(first.Context) != `{"a":1}` || first.Overrides.Headers["X-A"] != "1" || first.Picture == "" || first.Formerly != "" {
			s.Errorf("first it is %+v", first)
		}
		silent := vouch(parley.Identity{External: "ann"})
		if fmt.Sprint(silent) != fmt.Sprint(first) {
			s.Errorf("who is said nothing new of is %+v, want %+v", silent, first)
		}
		other := vouch(parley.Identity{External: "ann", Email: "anna@example.com", Metadata: map[string]string{"team": "a"}, Context: json.RawMessage(`{}`), Overrides: &parley.Overrides{}})
		if other.Metadata["team"] != "a" || len(other.Metadata) != 1 || string(other.Context) != `{}` || !other.Overrides.Empty() || other.Email != "anna@example.com" || other.Formerly != "ann@example.com" || other.Name != "Ann" {
			s.Errorf("said anew it is %+v", other)
		}
	})
}

package parley_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// anyone is who comes by a widget whose visitors have nothing but an id.
func anyone() parley.Caller {
	return parley.Caller{Project: parleytest.Project, Channel: parley.ChannelCossistant, Address: "203.0.113.9"}
}

// bare returns a new bare visitor.
func (s scene) bare() parley.Caller {
	s.Helper()
	v, err := s.store.Arrive(context.Background(), anyone(), "")
	if err != nil {
		s.Fatalf("arrive: %v", err)
	}
	return s.bareOf(v.ID)
}

// bareOf is the bare visitor of an id as it stands now.
func (s scene) bareOf(id parley.VisitorID) parley.Caller {
	s.Helper()
	c, err := s.store.BareCaller(context.Background(), anyone(), id)
	if err != nil {
		s.Fatalf("visitor %s: %v", id, err)
	}
	return c
}

func (s scene) profile(c parley.Caller) parley.Profile {
	s.Helper()
	p, err := s.store.Profile(context.Background(), c)
	if err != nil {
		s.Fatalf("profile: %v", err)
	}
	return p
}

// opens begins a session of a bare visitor under an id of its page's.
func (s scene) opens(c parley.Caller, id parley.SessionID, text string) {
	s.Helper()
	_, err := s.store.Send(context.Background(), c, parley.SendRequest{ID: parley.EntryID("first-" + id), Session: id, Begins: true,
		Channel: parley.ChannelCossistant, Content: text})
	if err != nil {
		s.Fatalf("begin %s: %v", id, err)
	}
}

func (s scene) recent(c parley.Caller) (ids []parley.SessionID) {
	s.Helper()
	sessions, err := s.store.Recent(context.Background(), c)
	if err != nil {
		s.Fatalf("recent: %v", err)
	}
	for _, session := range sessions {
		ids = append(ids, session.ID)
	}
	return ids
}

// TestArrival: a bare visitor comes back by its id, and no other id is anybody's.
func TestArrival(t *testing.T) {
	onBoth(t, func(s scene) {
		c := s.bare()
		if !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`).MatchString(string(c.Visitor)) {
			s.Errorf("id = %s, want a ULID", c.Visitor)
		}
		s.unchanged("coming back at once", func() {
			if v, err := s.store.Arrive(context.Background(), anyone(), c.Visitor); err != nil || v.ID != c.Visitor || !v.Bare {
				s.Errorf("back = %+v, %v", v, err)
			}
		})
		other := parleytest.Settings()
		other.ID, other.PublicKeys = "other", []string{"pk_test_other"}
		parleytest.Put(s, s.store, other)
		elsewhere := anyone()
		elsewhere.Project = "other"
		unknown := parley.VisitorID(strings.Repeat("0", 26))
		for what, id := range map[string]parley.VisitorID{"a native visitor": s.visitor.Visitor, "nobody": unknown, "no id": "", "small letters": parley.VisitorID(strings.ToLower(string(c.Visitor)))} {
			if v, err := s.store.Arrive(context.Background(), anyone(), id); err != nil || v.ID == id || v.ID == c.Visitor {
				s.Errorf("%s arrives as %s, %v", what, v.ID, err)
			}
			_, err := s.store.BareCaller(context.Background(), anyone(), id)
			s.want(what+" as a credential", err, "not_found")
		}
		if v, err := s.store.Arrive(context.Background(), elsewhere, c.Visitor); err != nil || v.ID == c.Visitor {
			s.Errorf("in another project it arrives as %s, %v", v.ID, err)
		}
		_, err := s.store.BareCaller(context.Background(), elsewhere, c.Visitor)
		s.want("its id in another project", err, "not_found")
	})
}

// TestULIDIsNoCredentialByItself: an id of the right form opens nothing unless it was
// given as a credential, and a token of a visitor opens nothing of a bare one.
func TestULIDIsNoCredentialByItself(t *testing.T) {
	onBolt(t, func(s scene) {
		c := s.bare()
		s.opens(c, "mine", "hello")
		forged := s.visitor
		forged.Bare, forged.Channel = true, parley.ChannelCossistant // a native visitor, by nothing but its id
		native := s.turn("native").ID
		for what, as := range map[string]parley.Caller{"a native visitor by its id": forged, "a native visitor": s.visitor} {
			_, err := s.store.Session(context.Background(), as, "mine")
			s.want(what+" reads a bare visitor's session", err, "not_found")
		}
		_, err := s.store.Session(context.Background(), forged, native)
		s.want("a native visitor's own session by its id", err, "not_found")
		_, err = s.store.Profile(context.Background(), forged)
		s.want("a native visitor's profile by its id", err, "not_found")
		s.want("what it tracks", s.store.Track(context.Background(), forged, parley.Tracking{Language: "de"}), "not_found")
		s.want("who it says it is", s.store.Introduce(context.Background(), forged, parley.Introduction{Email: "a@b.example"}), "not_found")
		wrongDialect := c
		wrongDialect.Channel = parley.ChannelHissuno
		_, err = s.store.Session(context.Background(), wrongDialect, "mine")
		s.want("by the id in another dialect", err, "not_found")
	})
}

// TestBlockedBareVisitor: it is told that it is blocked, and can do nothing.
func TestBlockedBareVisitor(t *testing.T) {
	onBolt(t, func(s scene) {
		c := s.bare()
		s.opens(c, "mine", "hello")
		if err := s.store.BlockVisitor(context.Background(), c.Project, c.Visitor, true); err != nil {
			s.Fatal(err)
		}
		if v, err := s.store.Arrive(context.Background(), anyone(), c.Visitor); err != nil || !v.Blocked || v.ID != c.Visitor {
			s.Errorf("it arrives as %+v, %v", v, err)
		}
		_, err := s.store.BareCaller(context.Background(), anyone(), c.Visitor)
		s.want("its id", err, "blocked")
		s.unchanged("a blocked visitor", func() {
			s.want("tracking", s.store.Track(context.Background(), c, parley.Tracking{Language: "de"}), "blocked")
			s.want("an introduction", s.store.Introduce(context.Background(), c, parley.Introduction{External: "u"}), "blocked")
			_, err := s.store.Send(context.Background(), c, parley.SendRequest{ID: "m", Session: "mine", Content: "more"})
			s.want("a message", err, "blocked")
		})
	})
}

// TestUnprovenIdentifyShowsNothing: who names somebody is told which contact that is,
// and nothing that anybody else has said, is or wrote.
func TestUnprovenIdentifyShowsNothing(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		proven, first, second := s.bare(), s.bare(), s.bare()
		person := parley.Identity{External: "u1", Email: secret + "@shop.example", Name: secret}
		if _, err := s.store.Prove(ctx, proven, person); err != nil {
			s.Fatal(err)
		}
		proven = s.bareOf(proven.Visitor)
		s.opens(proven, "theirs", secret)
		said := parley.Introduction{External: "u1", Email: "Ann+" + secret + "@Shop.example", Name: secret, Picture: "https://a.example/" + secret,
			Metadata: parley.Scalars{"plan": json.RawMessage(`"` + secret + `"`)}}
		s.want("introduction", s.store.Introduce(ctx, first, said), "")
		s.unchanged("the same introduction", func() { s.want("it", s.store.Introduce(ctx, first, said), "") })
		s.opens(first, "firsts", secret)
		s.want("somebody else naming the same", s.store.Introduce(ctx, second, parley.Introduction{External: "u1"}), "")
		one, two := s.profile(first), s.profile(second)
		if one.Said.Email != said.Email || one.Said.Name != said.Name || one.Said.Picture != said.Picture {
			s.Errorf("it is told %+v, and said %+v", one.Said, said)
		}
		if one.Known == "" || one.Known != two.Known || two.Contact != nil {
			s.Errorf("contacts = %s and %s, %+v", one.Known, two.Known, two.Contact)
		}
		if b, err := json.Marshal(two); err != nil || strings.Contains(string(b), secret) || strings.Contains(string(b), string(proven.Visitor)) || strings.Contains(string(b), string(first.Visitor)) {
			s.Errorf("who names the same is told %s, %v", b, err)
		}
		second = s.bareOf(second.Visitor)
		if got := s.recent(second); len(got) != 0 || second.Contact != "" {
			s.Errorf("who names the same lists %q as %q", got, second.Contact)
		}
		for _, id := range []parley.SessionID{"theirs", "firsts"} {
			_, err := s.store.Session(ctx, second, id)
			s.want("and reads "+string(id), err, "not_found")
		}
		s.want("somebody else", s.store.Introduce(ctx, first, parley.Introduction{Email: "bob@shop.example"}), "")
		if p := s.profile(first); p.Said.Name != "" || p.Said.External != "" || len(p.Said.Metadata) > 0 || p.Known == one.Known {
			s.Errorf("after naming another it is told %+v as %s", p.Said, p.Known)
		}
	})
}

// TestProvenVisitorsShare: those for whom somebody vouched for the same find each
// other's sessions, and who becomes another's leaves them.
func TestProvenVisitorsShare(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		one, two := s.bare(), s.bare()
		s.opens(one, "of-one", "hello")
		for _, c := range []parley.Caller{one, two} {
			if _, err := s.store.Prove(ctx, c, parley.Identity{External: "u1"}); err != nil {
				s.Fatal(err)
			}
			await(5 * time.Minute) // its sessions are moved
			parleytest.Sweep(s, s.store)
		}
		one, two = s.bareOf(one.Visitor), s.bareOf(two.Visitor)
		if one.Contact == "" || one.Contact != two.Contact {
			s.Fatalf("contacts = %q, %q", one.Contact, two.Contact)
		}
		if got := s.recent(two); !slices.Equal(got, []parley.SessionID{"of-one"}) {
			s.Errorf("the other lists %q", got)
		}
		if _, err := s.store.Send(ctx, two, parley.SendRequest{ID: "m2", Session: "of-one", Content: "from here", IfBusy: parley.BusyQueue}); err != nil {
			s.Errorf("the other writes: %v", err)
		}
		if _, err := s.store.Prove(ctx, two, parley.Identity{External: "u2"}); err != nil {
			s.Fatal(err)
		}
		two = s.bareOf(two.Visitor)
		if got := s.recent(two); len(got) != 0 || two.Contact == one.Contact {
			s.Errorf("as another's it lists %q", got)
		}
		_, err := s.store.Session(ctx, two, "of-one")
		s.want("and reads", err, "not_found")
	})
}

// TestProvenAnew: who is proven to be somebody else is not before the sessions of the
// first are moved, and is blocked with that somebody.
func TestProvenAnew(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		one, two := s.bare(), s.bare()
		prove := func(c parley.Caller, who string) error {
			_, err := s.store.Prove(ctx, c, parley.Identity{External: who})
			return err
		}
		s.want("bob", prove(two, "bob"), "")
		s.want("ann", prove(one, "ann"), "")
		s.want("bob a moment later", prove(one, "bob"), "identity_moving")
		await(5 * time.Minute)
		parleytest.Sweep(s, s.store)
		s.want("block bob", s.store.BlockContact(ctx, parleytest.Project, s.bareOf(two.Visitor).Contact, true), "")
		s.want("bob", prove(one, "bob"), "")
		_, err := s.store.BareCaller(ctx, parley.Caller{Project: parleytest.Project}, one.Visitor)
		s.want("as Bob", err, "blocked")
	})
}

// TestSaidAtOnce: of what a visitor says of itself in two pages at once nothing is lost.
func TestSaidAtOnce(t *testing.T) {
	ctx := context.Background()
	for name, say := range map[string]func(s *parley.Store, c parley.Caller, key string) error{
		"metadata": func(s *parley.Store, c parley.Caller, key string) error {
			return s.SayMetadata(ctx, c, parley.Scalars{key: json.RawMessage(`1`)})
		},
		"feedback": func(s *parley.Store, c parley.Caller, key string) error {
			_, err := s.GiveFeedback(ctx, c, parley.Feedback{ID: key, Score: 4, Comment: key})
			return err
		},
		"kept": func(s *parley.Store, c parley.Caller, key string) error {
			_, err := s.Keep(ctx, c, func(was json.RawMessage) (json.RawMessage, error) {
				return json.RawMessage(strings.Replace(string(cmp.Or(string(was), "[]")), "[", `["`+key+`",`, 1)), nil
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n, done := 1, false; !done; n++ {
				onBolt(t, func(s scene) {
					c := s.bare()
					s.want("introduce", s.store.Introduce(ctx, c, parley.Introduction{External: "bea"}), "")
					done = true
					slow := s.over(&overtaken{Table: s.table, nth: n, do: func() {
						done = false
						s.want("meanwhile", say(s.over(s.table), c, "first"), "")
					}})
					s.want(fmt.Sprint("after read ", n), say(slow, c, "second"), "")
					stands := fmt.Sprint(s.table.Dump(s))
					if !strings.Contains(stands, "second") || !done && !strings.Contains(stands, "first") {
						s.Errorf("after read %d something is lost", n)
					}
				})
			}
		})
	}
}

// TestSayMetadata: it merges value by value, and needs somebody of whom it is.
func TestSayMetadata(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		c := s.bare()
		s.want("metadata of nobody", s.store.SayMetadata(ctx, c, parley.Scalars{"a": json.RawMessage("1")}), "identity_missing")
		for what, i := range map[string]parley.Introduction{
			"nobody": {Name: "Ann"}, "blanks": {Email: "  "}, "a long id": {External: strings.Repeat("x", 129)}, "broken": {Email: "a@b", Name: "\xff"},
		} {
			if err := s.store.Introduce(ctx, c, i); !is(err, parley.ErrInvalid) {
				s.Errorf("introducing %s = %v", what, err)
			}
		}
		s.want("a long name", s.store.Introduce(ctx, c, parley.Introduction{External: "u", Name: strings.Repeat("x", parley.MaxNameBytes+1)}), "too_large")
		s.want("an introduction", s.store.Introduce(ctx, c, parley.Introduction{External: "u", Metadata: parley.Scalars{"a": json.RawMessage("1"), "b": json.RawMessage("true")}}), "")
		s.want("more", s.store.SayMetadata(ctx, c, parley.Scalars{"b": json.RawMessage("null"), "c": json.RawMessage(`"x"`)}), "")
		want := map[string]string{"a": "1", "b": "null", "c": `"x"`}
		got := map[string]string{}
		for name, value := range s.profile(c).Said.Metadata {
			got[name] = string(value)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			s.Errorf("metadata = %v, want %v", got, want)
		}
		many := parley.Scalars{}
		for n := range parley.MaxMetadata {
			many[fmt.Sprint(n)] = json.RawMessage("0")
		}
		s.unchanged("what is refused", func() {
			s.want("a list", s.store.SayMetadata(ctx, c, parley.Scalars{"l": json.RawMessage("[]")}), "invalid_field")
			if err := s.store.SayMetadata(ctx, c, many); err == nil {
				s.Errorf("%d pairs on top of 3 are taken", parley.MaxMetadata)
			}
		})
	})
}

// TestIntroductionsAreBounded: they count as new visitors do, and what they store
// besides a few words counts against the bytes of the address.
func TestIntroductionsAreBounded(t *testing.T) {
	long := parley.Scalars{}
	for n := range 10 {
		long[fmt.Sprint(n)] = json.RawMessage(`"` + strings.Repeat("x", 450) + `"`)
	}
	for code, b := range map[string]parley.Budgets{"identify_limit": {IdentifyPerHour: 10}, "budget_spent": {AddressBytes: 50_000}} {
		onBolt(t, func(s scene) {
			p := parleytest.Settings()
			p.Budgets = b
			parleytest.Put(s, s.store, p)
			s.store = s.over(s.table)
			c := s.bare()
			for n := range 100 {
				i := parley.Introduction{External: fmt.Sprint("u", n)}
				if code == "budget_spent" {
					i.Metadata = long
				}
				err := s.store.Introduce(context.Background(), c, i)
				if err == nil {
					continue
				}
				if n < 5 || n > 12 {
					s.Errorf("introduction %d is the first that is refused", n)
				}
				s.want("one too many", err, code)
				if got := s.profile(c).Said.External; got != fmt.Sprint("u", n-1) {
					s.Errorf("after the refusal it is %s", got)
				}
				return
			}
			s.Errorf("100 introductions are taken under %+v", b)
		})
	}
}

// TestTracking: what is said stays until something else is said, how the visitor came
// for good; and nothing is written of what is known.
func TestTracking(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		c := s.bare()
		first := parley.Tracking{Language: "de-DE", Timezone: "Europe/Berlin", Device: map[string]string{"browser": "Firefox"},
			First: json.RawMessage(`{"channel":"direct"}`), Page: json.RawMessage(`{"title":"A","url":"https://shop.example/a"}`)}
		s.want("tracking", s.store.Track(ctx, c, first), "")
		s.unchanged("the same again", func() { s.want("it", s.store.Track(ctx, c, first), "") })
		s.unchanged("nothing new", func() { s.want("it", s.store.Track(ctx, c, parley.Tracking{}), "") })
		next := parley.Tracking{Device: map[string]string{"os": "Linux"}, First: json.RawMessage(`{"channel":"paid"}`), Page: json.RawMessage(`{"url":"https://shop.example/b"}`)}
		s.want("the next page", s.store.Track(ctx, c, next), "")
		got := s.profile(c).Tracking
		if got.Language != "de-DE" || got.Device["browser"] != "Firefox" || got.Device["os"] != "Linux" || string(got.First) != `{"channel":"direct"}` || got.Where() != (parley.Page{URL: "https://shop.example/b"}) {
			s.Errorf("tracking = %+v", got)
		}
		s.unchanged("what is refused", func() {
			s.want("a long language", s.store.Track(ctx, c, parley.Tracking{Language: strings.Repeat("x", parley.MaxLanguageBytes+1)}), "too_large")
			s.want("a long time zone", s.store.Track(ctx, c, parley.Tracking{Timezone: strings.Repeat("x", parley.MaxTimezoneBytes+1)}), "too_large")
			s.want("a long page", s.store.Track(ctx, c, parley.Tracking{Page: json.RawMessage(`{"url":"` + strings.Repeat("x", parley.MaxTrackingBytes) + `"}`)}), "too_large")
			s.want("all together too long", s.store.Track(ctx, c, parley.Tracking{Device: pairs(10, 400, 400)}), "too_large")
			s.want("a page that is no object", s.store.Track(ctx, c, parley.Tracking{Page: json.RawMessage(`[1]`)}), "invalid_field")
		})
	})
}

// TestSigns: when a page was heard of last is known within HeardEvery, for one write
// in that time, and an address has so many of them in a day.
func TestSigns(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		c := s.bare()
		arrived := s.profile(c).Visitor.Heard
		await(parley.HeardEvery - time.Second)
		s.unchanged("a sign soon after", func() { s.want("it", s.store.Track(ctx, c, parley.Tracking{}), "") })
		await(time.Second)
		s.want("a sign", s.store.Track(ctx, c, parley.Tracking{}), "")
		if got := s.profile(c).Visitor.Heard; got != arrived+parley.HeardEvery.Milliseconds() {
			s.Errorf("heard at %d, having arrived at %d", got, arrived)
		}
		await(parley.HeardEvery)
		if v, err := s.store.Arrive(ctx, anyone(), c.Visitor); err != nil || v.Heard != arrived+2*parley.HeardEvery.Milliseconds() {
			s.Errorf("back = %+v, %v", v, err)
		}
		if got := s.profile(c).Visitor.Heard; got != time.Now().UnixMilli() {
			s.Errorf("after it is back it was heard at %d", got)
		}
		stored := 0
		for n := range parley.MaxSignsPerDay + 100 {
			page := fmt.Sprintf(`{"url":"https://shop.example/%d"}`, n)
			s.want("a page", s.store.Track(ctx, c, parley.Tracking{Page: json.RawMessage(page)}), "")
			if n%50 == 0 || n > parley.MaxSignsPerDay-10 {
				if string(s.profile(c).Tracking.Page) != page {
					break
				}
			}
			stored++
		}
		if stored < parley.MaxSignsPerDay-60 || stored > parley.MaxSignsPerDay {
			s.Errorf("%d pages are stored in a day, want at most %d", stored, parley.MaxSignsPerDay)
		}
	})
}

// TestCostOfBareVisitors pins what the calls of a page cost that somebody may make
// without end.
func TestCostOfBareVisitors(t *testing.T) {
	ctx := context.Background()
	onBolt(t, func(s scene) {
		m := meter.New(meter.Config{Table: s.table})
		s.store = parleytest.Store(s, parley.Config{Table: m, ProjectLife: 1000 * time.Hour})
		c := s.bare()
		large := func(n int) parley.Tracking {
			return parley.Tracking{Page: json.RawMessage(fmt.Sprintf(`{"url":"%d%s"}`, n, strings.Repeat("x", 3900)))}
		}
		s.want("a first page", s.store.Track(ctx, c, large(0)), "") // the counters are there
		for _, call := range []struct {
			name   string
			do     func() error
			writes int
			reads  float64
		}{
			{"a new visitor", func() error { _, err := s.store.Arrive(ctx, anyone(), ""); return err }, 2, 0},
			{"a visitor who is back", func() error { _, err := s.store.Arrive(ctx, anyone(), c.Visitor); return err }, 0, 1},
			{"its profile", func() error { _, err := s.store.Profile(ctx, c); return err }, 0, 3},
			{"a sign that is known", func() error { return s.store.Track(ctx, c, large(0)) }, 0, 2},
			{"the longest page", func() error { return s.store.Track(ctx, c, large(1)) }, 12, 2},
			{"a sign after a while", func() error { await(parley.HeardEvery); return s.store.Track(ctx, c, parley.Tracking{}) }, 1, 2},
			{"the longest introduction that counts no bytes", func() error {
				return s.store.Introduce(ctx, c, parley.Introduction{External: strings.Repeat("e", 128), Email: strings.Repeat("m", 250), Name: strings.Repeat("n", 400)})
			}, 8, 2},
			{"what is kept", func() error { _, err := s.store.Kept(ctx, c); return err }, 0, 2},
			{"an empty list", func() error { _, err := s.store.Recent(ctx, c); return err }, 0, 2},
		} {
			m.Reset()
			if err := call.do(); err != nil {
				s.Fatalf("%s: %v", call.name, err)
			}
			if got := m.Counts(); got.WriteUnits() > call.writes || got.ReadUnits() > call.reads {
				s.Errorf("%s costs %d write and %g read units, want %d and %g", call.name, got.WriteUnits(), got.ReadUnits(), call.writes, call.reads)
			}
		}
	})
}

// TestKept: a page's own data stays as it was given, to its visitor alone, within a bound.
func TestKept(t *testing.T) {
	ctx := context.Background()
	onBoth(t, func(s scene) {
		c, other := s.bare(), s.bare()
		keep := func(data string) error {
			_, err := s.store.Keep(ctx, c, func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(data), nil })
			return err
		}
		s.want("keeping", keep(`{"a":1}`), "")
		var was string
		_, err := s.store.Keep(ctx, c, func(before json.RawMessage) (json.RawMessage, error) { was = string(before); return before, nil })
		s.want("keeping the same", err, "")
		if was != `{"a":1}` {
			s.Errorf("the change is given %s", was)
		}
		s.want("as much as may be", keep(`"`+strings.Repeat("x", parley.MaxKeptBytes-2)+`"`), "")
		s.want("less again", keep(`{"a":1}`), "")
		s.onlyPaced("too much", func() { s.want("it", keep(`"`+strings.Repeat("x", parley.MaxKeptBytes-1)+`"`), "too_large") })
		if got, err := s.store.Kept(ctx, c); err != nil || string(got) != `{"a":1}` {
			s.Errorf("kept = %s, %v", got, err)
		}
		if got, err := s.store.Kept(ctx, other); err != nil || got != nil {
			s.Errorf("another is given %s, %v", got, err)
		}
		native := s.visitor
		native.Bare = true
		_, err = s.store.Kept(ctx, native)
		s.want("a native visitor's", err, "not_found")
	})
}

// TestPageSince: a visitor is on a page since it came there, however often it says so.
func TestPageSince(t *testing.T) {
	onBolt(t, func(s scene) {
		c := s.bare()
		at := func(page string) int64 {
			s.Helper()
			before := s.profile(c).Tracking
			s.want("track", s.store.Track(context.Background(), c, parley.Tracking{Page: json.RawMessage(`{"url":"https://shop.example/` + page + `"}`)}), "")
			got := s.profile(c).Tracking
			if moved := got.Where() != before.Where(); moved != (got.Updated == time.Now().UnixMilli()) {
				s.Errorf("on %s it was updated at %d, moved: %v", page, got.Updated, moved)
			}
			return got.Since
		}
		for _, page := range []string{"a", "b", "a"} {
			await(time.Minute)
			now := time.Now().UnixMilli()
			if got := at(page); got != now {
				s.Errorf("on %s since %d, want %d", page, got, now)
			}
			await(time.Minute)
			if got := at(page); got != now {
				s.Errorf("still on %s since %d, want %d", page, got, now)
			}
		}
	})
}

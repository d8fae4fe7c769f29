package parley_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// tells is a bare visitor with everything that the table can hold of one.
func (s scene) tells(first parley.SessionID) parley.Caller {
	s.Helper()
	ctx := context.Background()
	c := s.bare()
	s.want("an introduction", s.store.Introduce(ctx, c, parley.Introduction{External: secret, Email: secret + "@shop.example", Name: secret,
		Metadata: parley.Scalars{"plan": json.RawMessage(`"` + secret + `"`)}}), "")
	s.want("tracking", s.store.Track(ctx, c, parley.Tracking{Language: "de", Timezone: "Europe/" + secret, Device: map[string]string{"browser": secret},
		First: json.RawMessage(`{"channel":"` + secret + `"}`), Page: json.RawMessage(`{"url":"https://shop.example/` + secret + `"}`)}), "")
	s.want("another page", s.store.Track(ctx, c, parley.Tracking{Page: json.RawMessage(`{"url":"https://shop.example/` + secret + `/2"}`)}), "")
	_, err := s.store.Keep(ctx, c, func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(`{"a":"` + secret + `"}`), nil })
	s.want("keeping", err, "")
	s.opens(c, first, secret)
	for _, on := range []parley.SessionID{"", first} {
		_, err = s.store.GiveFeedback(ctx, c, parley.Feedback{Session: on, Score: 5, Comment: secret, Source: "widget"})
		s.want("feedback", err, "")
	}
	tab := s.tab("tab-" + string(first))
	tab.Caller, tab.Metadata = c, map[string]string{"page": secret}
	s.want("a connection", s.store.Connect(ctx, tab), "")
	return c
}

// forgotten fails the test if something of a person is left, besides counts, which
// expire, and the names of sessions that are no more, in their tombstones.
func (s scene) forgotten(when string, of ...parley.Caller) {
	s.Helper()
	for k, item := range s.table.Dump(s) {
		if strings.HasPrefix(k.PK, "demo/count/") {
			continue
		}
		for name, value := range item {
			said := fmt.Sprint(value)
			left := strings.Contains(said, secret)
			for _, c := range of {
				left = left || strings.Contains(said, string(c.Visitor)) || c.Contact != "" && strings.Contains(said, string(c.Contact))
			}
			if left {
				s.Errorf("%s: %v holds %s = %q", when, k, name, said)
			}
		}
	}
	for _, c := range of {
		_, err := s.store.BareCaller(context.Background(), anyone(), c.Visitor)
		s.want(when+": its id", err, "not_found")
		if v, err := s.store.Arrive(context.Background(), anyone(), c.Visitor); err != nil || v.ID == c.Visitor {
			s.Errorf("%s: it comes back as %v, %v", when, v.ID, err)
		}
	}
}

// swept lets the sweep do all that erasing has ordered.
func (s scene) swept() {
	s.Helper()
	for range 4 {
		await(time.Minute)
		parleytest.Sweep(s, s.store)
	}
}

// TestEraseVisitor: nothing that a visitor said, did or wrote is left, and others lose
// nothing.
func TestEraseVisitor(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		other := s.bare()
		s.want("another's introduction", s.store.Introduce(ctx, other, parley.Introduction{External: "u2", Name: "Bob"}), "")
		s.opens(other, "others", "hello")
		c := s.tells("mine")
		for what, as := range map[string]parley.Caller{"the visitor": c, "a native visitor": s.visitor} {
			s.want(what+" erases", s.store.EraseVisitor(ctx, as, c.Visitor), "operators_only")
		}
		for _, nobody := range []string{"nobody", "", "a\x00", strings.Repeat("x", 5000)} {
			s.want("an unknown one", s.store.EraseVisitor(ctx, s.operator(), parley.VisitorID(nobody)), "not_found")
			s.want("an unknown contact", s.store.EraseContact(ctx, s.operator(), parley.ContactID(nobody)), "not_found")
		}
		elsewhere := s.operator()
		elsewhere.Project = "other"
		s.want("in another project", s.store.EraseVisitor(ctx, elsewhere, c.Visitor), "not_found")
		s.want("erasing", s.store.EraseVisitor(ctx, s.operator(), c.Visitor), "")
		_, err := s.store.ReadSession(ctx, s.operator(), "mine", parley.PageRequest{})
		s.want("its session at once", err, "not_found")
		s.unchanged("what comes late", func() {
			s.want("tracking", s.store.Track(ctx, c, parley.Tracking{Timezone: secret}), "not_found")
			s.want("an introduction", s.store.Introduce(ctx, c, parley.Introduction{External: secret}), "not_found")
			_, err := s.store.Send(ctx, c, parley.SendRequest{ID: "late", Session: "mine", Content: secret})
			s.want("a message", err, "not_found")
			s.want("erasing it again", s.store.EraseVisitor(ctx, s.operator(), c.Visitor), "not_found")
		})
		s.swept()
		s.forgotten("after a visitor was erased", c)
		if got := s.profile(other); got.Said.Name != "Bob" || fmt.Sprint(s.recent(other)) != "[others]" {
			s.Errorf("another is left with %+v and %v", got.Said, s.recent(other))
		}
	})
}

// TestEraseContact: all visitors of a contact are forgotten with it, and by none of its
// names it is found again.
func TestEraseContact(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		one, two := s.tells("of-one"), s.tells("of-two")
		for _, c := range []parley.Caller{one, two} {
			for _, email := range []string{"first@" + secret, "second@" + secret, "third@" + secret} {
				if _, err := s.store.Prove(ctx, c, parley.Identity{External: "u-" + secret, Email: email, Name: secret}); err != nil {
					s.Fatal(err)
				}
				await(5 * time.Minute) // its sessions are moved
				parleytest.Sweep(s, s.store)
			}
		}
		one, two = s.bareOf(one.Visitor), s.bareOf(two.Visitor)
		s.want("a contact's visitor alone", s.store.EraseVisitor(ctx, s.operator(), one.Visitor), "of_contact")
		s.want("the contact erases", s.store.EraseContact(ctx, one, one.Contact), "operators_only")
		s.want("erasing", s.store.EraseContact(ctx, s.operator(), one.Contact), "")
		s.want("erasing it again", s.store.EraseContact(ctx, s.operator(), one.Contact), "not_found")
		s.swept()
		s.forgotten("after a contact was erased", one, two)
		back := s.bare()
		again, err := s.store.Prove(ctx, back, parley.Identity{External: "u-" + secret})
		if err != nil || again.ID == one.Contact || again.Name != "" || len(s.recent(s.bareOf(back.Visitor))) > 0 {
			s.Errorf("who signs in as the same is %+v, %v", again, err)
		}
	})
}

// TestEraseUnprovenContact: whom nobody vouched for may be several people.
func TestEraseUnprovenContact(t *testing.T) {
	onBolt(t, func(s scene) {
		got, err := s.store.Acquaint(context.Background(), parley.AcquaintRequest{Project: parleytest.Project, Identity: parley.Identity{Email: "a@b.example"}})
		if err != nil {
			s.Fatal(err)
		}
		s.want("erasing", s.store.EraseContact(context.Background(), s.operator(), got.Contact.ID), "unproven_contact")
	})
}

// TestErasePersonDies crashes the process before and after every call of erasing a
// contact, and the sweeps that finish it too.
func TestErasePersonDies(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		for call, more := 1, true; more; call++ {
			onBolt(t, func(s scene) {
				parleytest.Sweep(s, s.store)
				c := s.tells("mine")
				if _, err := s.store.Prove(context.Background(), c, parley.Identity{External: secret, Email: "a@" + secret}); err != nil {
					s.Fatal(err)
				}
				c = s.bareOf(c.Visitor)
				network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
				p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				_ = s.over(p).EraseContact(context.Background(), s.operator(), c.Contact)
				more = p.Calls() >= call
				if err := s.store.EraseContact(context.Background(), s.operator(), c.Contact); err != nil && parley.Code(err) != "not_found" {
					s.Errorf("erase again: %v", err)
				}
				for n := range 8 {
					await(time.Minute)
					sweeping := network.Process(fault.Config{Plan: map[int]fault.Kind{10 + (call+7*n)%25: kind}})
					s.over(sweeping).Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
				}
				s.swept()
				s.forgotten(fmt.Sprintf("after a crash of kind %d at call %d", kind, call), c)
			})
		}
	}
}

// TestTrackingExpires: where a visitor was is kept for TrackingLife after the last change.
func TestTrackingExpires(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		c := s.bare()
		s.want("tracking", s.store.Track(ctx, c, parley.Tracking{Timezone: "Europe/Berlin"}), "")
		await(parley.TrackingLife - time.Minute)
		if got := s.profile(c).Tracking.Timezone; got != "Europe/Berlin" {
			s.Errorf("time zone = %q before its time", got)
		}
		await(2 * time.Minute)
		if got := s.profile(c).Tracking.Timezone; got != "" {
			s.Errorf("time zone = %q after its time", got)
		}
		for k, item := range s.table.Dump(s) {
			if strings.HasSuffix(k.SK, "track") {
				s.Errorf("%v is left: %v", k, item[table.ExpiresAt])
			}
		}
	})
}

package parley_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// challenging are settings with the easiest challenge.
func challenging(except ...parley.Channel) parley.Project {
	p := generous()
	p.Challenge = parley.ChallengeSettings{Numbers: parley.MinChallengeNumbers, Except: except}
	return p
}

// stranger is who asks from an address.
func stranger(address string) parley.Caller {
	return parley.Caller{Project: parleytest.Project, Address: address}
}

// challenge has a stranger get a challenge and solve it.
func (s scene) challenge(store *parley.Store, c parley.Caller) parley.Solution {
	s.Helper()
	p, err := store.Project(context.Background(), c.Project)
	if err != nil {
		s.Fatal(err)
	}
	asked, err := store.NewChallenge(p, c)
	if err != nil {
		s.Fatal(err)
	}
	return parleytest.Solve(s, asked)
}

func (s scene) enter(store *parley.Store, c parley.Caller, solution *parley.Solution) (parley.Visitor, error) {
	got, err := store.Identify(context.Background(), parley.IdentifyRequest{Caller: c, Solution: solution})
	return got.Visitor, err
}

// TestChallenge: a solution lets its own address into its own project, once, and
// in time.
func TestChallenge(t *testing.T) {
	onBoth(t, func(s scene) {
		here := stranger("203.0.113.7")
		_, err := s.enter(s.store, here, nil)
		s.want("without a challenge", err, "")
		_, err = s.store.NewChallenge(&parley.Project{ID: "demo"}, here)
		s.want("a challenge that nobody asks for", err, "not_found")

		parleytest.Put(s, s.store, challenging())
		elsewhere := challenging()
		elsewhere.ID, elsewhere.PublicKeys = "elsewhere", []string{"pk_test_elsewhere"}
		parleytest.Put(s, s.store, elsewhere)
		_, err = s.enter(s.store, here, nil)
		s.want("without a solution", err, "challenge_required")
		good := s.challenge(s.store, here)
		for good.Number < 11 || strconv.FormatInt(good.Number, 10)[1] == '0' { // to cut it in two
			good = s.challenge(s.store, here)
		}
		altered := func(change func(*parley.Solution)) *parley.Solution {
			bad := good
			change(&bad)
			return &bad
		}
		salt, tail, _ := strings.Cut(good.Salt, "?expires=")
		digits := strconv.FormatInt(good.Number, 10)
		foreign := stranger(here.Address)
		foreign.Project = "elsewhere"
		for name, test := range map[string]struct {
			who      parley.Caller
			solution *parley.Solution
		}{
			"another address":   {stranger("203.0.113.8"), &good},
			"no address":        {stranger(""), &good},
			"another project":   {foreign, &good},
			"nothing":           {here, &parley.Solution{}},
			"another number":    {here, altered(func(b *parley.Solution) { b.Number++ })},
			"a negative number": {here, altered(func(b *parley.Solution) { b.Number = -b.Number - 1 })},
			"another hash": {here, altered(func(b *parley.Solution) {
				b.Number++
				b.Hash = parleytest.ChallengeHash(b.Salt, b.Number)
			})},
			"another signature": {here, altered(func(b *parley.Solution) { b.Signature = strings.Repeat("0", 64) })},
			"no signature":      {here, altered(func(b *parley.Solution) { b.Signature = "" })},
			"a later end":       {here, altered(func(b *parley.Solution) { b.Salt = salt + "?expires=9" + tail })},
			"a digit that has moved into the salt": {here, altered(func(b *parley.Solution) { // the hash is the same
				b.Salt += digits[:1]
				b.Number, _ = strconv.ParseInt(digits[1:], 10, 64)
			})},
			"an end without its mark": {here, altered(func(b *parley.Solution) { b.Salt = strings.TrimSuffix(b.Salt, "&") })},
		} {
			s.unchanged(name, func() {
				_, err := s.enter(s.store, test.who, test.solution)
				s.want(name, err, "challenge_invalid")
			})
		}
		v, err := s.enter(s.store, here, &good)
		s.want("solved", err, "")
		_, err = s.enter(s.store, here, &good)
		s.want("used again", err, "challenge_used")
		await(24 * time.Hour)
		_, err = s.enter(s.store, here, &good)
		s.want("used again a day later", err, "challenge_expired")
		again, err := s.enter(s.store, parley.Caller{Project: "demo", Visitor: v.ID, Generation: v.Generation}, nil)
		if err != nil || again.ID != v.ID {
			s.Errorf("the visitor again = %+v, %v, want %s", again, err, v.ID)
		}
		second := s.challenge(s.store, here)
		await(parley.ChallengeLife - time.Second)
		other, err := s.enter(s.store, here, &second)
		if err != nil || other.ID == v.ID {
			s.Errorf("in the last moment: %+v, %v", other, err)
		}
		late := s.challenge(s.store, here)
		await(parley.ChallengeLife)
		_, err = s.enter(s.store, here, &late)
		s.want("too late", err, "challenge_expired")
		_, err = s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: here, Identity: &parley.Identity{External: "ann"}})
		s.want("with an identity", err, "")
	})
}

// TestChallengeLetsOneIn: of many who show one solution at once, one gets in.
func TestChallengeLetsOneIn(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Put(s, s.store, challenging())
		here := stranger("203.0.113.7")
		good := s.challenge(s.store, here)
		var in sync.WaitGroup
		got := make([]error, 20)
		for i := range got {
			in.Go(func() { _, got[i] = s.enter(s.over(s.table), here, &good) })
		}
		in.Wait()
		entered := 0
		for _, err := range got {
			if err == nil {
				entered++
			} else {
				s.want("who was late", err, "challenge_used")
			}
		}
		if entered != 1 {
			s.Errorf("%d got in by one solution", entered)
		}
	})
}

// TestChallengeWhileTheMasterIsReplaced: what the old master signed is good where the
// new one signs, and is still used up.
func TestChallengeWhileTheMasterIsReplaced(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Put(s, s.store, challenging())
		here := stranger("203.0.113.7")
		good, used := s.challenge(s.store, here), s.challenge(s.store, here)
		_, err := s.enter(s.store, here, &used)
		s.want("before", err, "")
		during := parleytest.Store(s, parley.Config{Table: s.table, DerivePrevious: parleytest.Derive,
			Derive: func(label string, parts ...string) []byte { return parleytest.Derive("new "+label, parts...) }})
		_, err = s.enter(during, here, &good)
		s.want("during", err, "")
		for _, spent := range []parley.Solution{good, used} {
			for _, store := range []*parley.Store{during, s.store} {
				_, err = s.enter(store, here, &spent)
				s.want("used", err, "challenge_used")
			}
		}
	})
}

// TestChallengeOfWidgets: a widget that cannot solve one lets no stranger in, unless
// the project says so; whoever is known or vouched for needs none.
func TestChallengeOfWidgets(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		ann := parleytest.Contact(s, s.store, s.visitor, "ann")
		s.reply(parleytest.Send(s, s.store, s.bearer("before"), say("m0", "before")).Claim, "hi")
		acquaint := func(email string, proven bool) error {
			_, err := s.store.Acquaint(ctx, parley.AcquaintRequest{Project: "demo", Channel: parley.ChannelOpenCX,
				Identity: parley.Identity{Email: email}, Proven: proven, Address: "203.0.113.7"})
			return err
		}
		first := func(id string) error {
			r := say(parley.EntryID("m "+id), parley.SessionID(id))
			r.Channel = parley.ChannelHissuno
			sent, err := s.store.Send(ctx, s.bearer(parley.SessionID(id)), r)
			if err == nil {
				s.reply(sent.Claim, "hi")
			}
			return err
		}
		parleytest.Put(s, s.store, challenging())
		s.unchanged("strangers", func() {
			s.want("OpenCX's widget", acquaint("", false), "challenge_required")
			s.want("OpenCX's widget with an address", acquaint("cleo@example.com", false), "challenge_required")
			s.want("Hissuno's widget", first("stranger"), "challenge_required")
		})
		s.want("OpenCX's widget, vouched for", acquaint("ben@example.com", true), "")
		s.want("Hissuno's widget, known", first("before"), "")
		signed := s.bearer("signed")
		signed.Contact = ann.Contact
		r := say("m signed", "signed")
		r.Channel = parley.ChannelHissuno
		s.reply(parleytest.Send(s, s.store, signed, r).Claim, "hi Ann")

		parleytest.Put(s, s.store, challenging(parley.ChannelHissuno))
		s.want("OpenCX's widget", acquaint("", false), "challenge_required")
		s.want("Hissuno's widget", first("let in"), "")
		parleytest.Put(s, s.store, challenging(parley.ChannelOpenCX))
		s.want("OpenCX's widget", acquaint("", false), "")
		s.want("Hissuno's widget", first("not let in"), "challenge_required")
		_, err := s.enter(s.store, stranger("203.0.113.7"), nil)
		s.want("the native API", err, "challenge_required")
	})
}

func TestChallengeSettings(t *testing.T) {
	onBolt(t, func(s scene) {
		for _, test := range []struct {
			settings parley.ChallengeSettings
			code     string
		}{
			{parley.ChallengeSettings{}, ""},
			{parley.ChallengeSettings{Numbers: parley.MinChallengeNumbers}, ""},
			{parley.ChallengeSettings{Numbers: parley.MaxChallengeNumbers, Except: []parley.Channel{"hissuno", "opencx"}}, ""},
			{parley.ChallengeSettings{Numbers: -1}, "invalid_field"},
			{parley.ChallengeSettings{Numbers: parley.MinChallengeNumbers - 1}, "invalid_field"},
			{parley.ChallengeSettings{Numbers: parley.MaxChallengeNumbers + 1}, "invalid_field"},
			{parley.ChallengeSettings{Numbers: 5000, Except: []parley.Channel{"native"}}, "invalid_field"},
			{parley.ChallengeSettings{Numbers: 5000, Except: []parley.Channel{"opencx", "opencx"}}, "invalid_field"},
		} {
			p := generous()
			p.Challenge = test.settings
			s.want(fmt.Sprintf("%+v", test.settings), s.store.PutProject(context.Background(), p), test.code)
		}
	})
}

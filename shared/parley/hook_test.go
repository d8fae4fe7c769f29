package parley_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// hook is an endpoint as an operator asks for it.
func hook(change func(*parley.Hook)) parley.Hook {
	h := parley.Hook{URL: "https://customer.example/hook?key=1", Events: []parley.HookEvent{parley.HookMessage}}
	if change != nil {
		change(&h)
	}
	return h
}

// putHook makes or changes an endpoint and must succeed.
func (s scene) putHook(h parley.Hook) (parley.Hook, parley.HookSecret) {
	s.Helper()
	got, secret, err := s.store.PutHook(context.Background(), s.operator(), h)
	if err != nil {
		s.Fatalf("put hook: %v", err)
	}
	return got, secret
}

// hooks returns what is stored.
func (s scene) hooks() []parley.Hook {
	s.Helper()
	p, err := s.over(s.table).Project(context.Background(), "demo")
	if err != nil {
		s.Fatal(err)
	}
	return p.Hooks
}

func TestHooks(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, op := context.Background(), s.operator()
		made, secret := s.putHook(hook(nil))
		if made.ID == "" || made.Disabled || made.Since != time.Now().UnixMilli() || !slices.Equal(made.Keys, []string{secret.Key}) {
			s.Errorf("made %+v with %q", made, secret.Key)
		}
		if !strings.HasPrefix(secret.Secret, "whsec_") || len(secret.Secret) < 40 {
			s.Errorf("the secret is %q", secret.Secret)
		}
		for k, item := range s.table.Dump(s) {
			if strings.Contains(fmt.Sprint(item), secret.Secret) {
				s.Errorf("%v holds the secret", k)
			}
		}
		await(time.Hour)
		changed := made
		changed.URL, changed.Events, changed.Disabled = "https://other.example", []parley.HookEvent{parley.HookRated}, true
		got, again := s.putHook(changed)
		if got.URL != changed.URL || !got.Disabled || got.Since != made.Since || again.Secret != "" {
			s.Errorf("changed to %+v, showing %q", got, again.Secret)
		}
		if got.Disabled = false; got.Since != made.Since {
			s.Errorf("since %d, want %d", got.Since, made.Since)
		}
		if got, _ = s.putHook(got); got.Since != time.Now().UnixMilli() {
			s.Error("an endpoint that is enabled gets what happened before")
		}
		if stored := s.hooks(); len(stored) != 1 || fmt.Sprint(stored[0]) != fmt.Sprint(got) {
			s.Errorf("stored %+v, want %+v", stored, got)
		}
		s.want("delete", s.store.DeleteHook(ctx, op, made.ID), "")
		s.want("delete again", s.store.DeleteHook(ctx, op, made.ID), "")
		_, _, err := s.store.PutHook(ctx, op, got)
		s.want("change what is gone", err, "not_found")
		for range parley.MaxHooks {
			s.putHook(hook(nil))
		}
		_, _, err = s.store.PutHook(ctx, op, hook(nil))
		s.want("one too many", err, "too_many_hooks")
		if n := len(s.hooks()); n != parley.MaxHooks {
			s.Errorf("%d hooks", n)
		}
	})
}

// TestHookKeys: a rotation goes through a time with two keys.
func TestHookKeys(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, op := context.Background(), s.operator()
		h, first := s.putHook(hook(nil))
		secrets := func() []string { return s.store.HookSecrets("demo", s.hooks()[0]) }
		if got := secrets(); !slices.Equal(got, []string{first.Secret}) {
			s.Errorf("signed with %q", got)
		}
		s.want("drop the only key", s.store.DropHookKey(ctx, op, h.ID, first.Key), "last_key")
		second, err := s.store.RotateHook(ctx, op, h.ID)
		s.want("rotate", err, "")
		if got := secrets(); !slices.Equal(got, []string{second.Secret, first.Secret}) || second.Secret == first.Secret {
			s.Errorf("during the rotation signed with %q", got)
		}
		_, err = s.store.RotateHook(ctx, op, h.ID)
		s.want("rotate again", err, "hook_rotating")
		s.want("drop", s.store.DropHookKey(ctx, op, h.ID, first.Key), "")
		s.want("drop again", s.store.DropHookKey(ctx, op, h.ID, first.Key), "")
		if got := secrets(); !slices.Equal(got, []string{second.Secret}) {
			s.Errorf("after the rotation signed with %q", got)
		}
		_, err = s.store.RotateHook(ctx, op, "wh_none")
		s.want("rotate what is not there", err, "not_found")
	})
}

// TestHookSecretsOfTwoMasters: while the master secret is replaced, what the
// customer was shown still fits.
func TestHookSecretsOfTwoMasters(t *testing.T) {
	onBolt(t, func(s scene) {
		_, shown := s.putHook(hook(nil))
		renewed := parleytest.Store(s, parley.Config{Table: s.table, DerivePrevious: parleytest.Derive,
			Derive: func(label string, parts ...string) []byte { return []byte(label + fmt.Sprint(parts)) }})
		got := renewed.HookSecrets("demo", s.hooks()[0])
		if len(got) != 2 || got[1] != shown.Secret || got[0] == shown.Secret {
			s.Errorf("signed with %q, shown was %q", got, shown.Secret)
		}
	})
}

func TestHookSettings(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*parley.Hook)
	}{
		{"https", "", nil},
		{"http, for a laptop", "", func(h *parley.Hook) { h.URL = "http://localhost:8080/hook" }},
		{"all events", "", func(h *parley.Hook) { h.Events = parley.HookEvents() }},
		{"no url", "invalid_field", func(h *parley.Hook) { h.URL = "" }},
		{"another scheme", "invalid_field", func(h *parley.Hook) { h.URL = "file:///etc/passwd" }},
		{"no host", "invalid_field", func(h *parley.Hook) { h.URL = "https:///hook" }},
		{"a password", "invalid_field", func(h *parley.Hook) { h.URL = "https://a:b@customer.example" }},
		{"a long url", "too_large", func(h *parley.Hook) {
			h.URL = "https://customer.example/" + strings.Repeat("a", parley.MaxHookURLBytes)
		}},
		{"no events", "invalid_field", func(h *parley.Hook) { h.Events = nil }},
		{"an unknown event", "invalid_field", func(h *parley.Hook) { h.Events = []parley.HookEvent{"session.sung"} }},
		{"an event twice", "invalid_field", func(h *parley.Hook) { h.Events = []parley.HookEvent{parley.HookRated, parley.HookRated} }},
	}
	onBolt(t, func(s scene) {
		for _, test := range tests {
			h, _, err := s.store.PutHook(context.Background(), s.operator(), hook(test.change))
			s.want(test.name, err, test.want)
			if err == nil {
				s.want("delete", s.store.DeleteHook(context.Background(), s.operator(), h.ID), "")
			}
		}
		if left := s.hooks(); len(left) != 0 {
			s.Errorf("left %+v", left)
		}
		for name, hooks := range map[string][]parley.Hook{
			"two of one id": {{ID: "a", URL: "https://a.example", Events: parley.HookEvents(), Keys: []string{"k"}},
				{ID: "a", URL: "https://b.example", Events: parley.HookEvents(), Keys: []string{"k"}}},
			"no id":        {{URL: "https://a.example", Events: parley.HookEvents(), Keys: []string{"k"}}},
			"no key":       {{ID: "a", URL: "https://a.example", Events: parley.HookEvents()}},
			"three keys":   {{ID: "a", URL: "https://a.example", Events: parley.HookEvents(), Keys: []string{"1", "2", "3"}}},
			"an empty key": {{ID: "a", URL: "https://a.example", Events: parley.HookEvents(), Keys: []string{""}}},
		} {
			p := generous()
			p.Hooks = hooks
			s.want(name, s.store.PutProject(context.Background(), p), "invalid_field")
		}
	})
}

// TestHooksAreForStaff: a visitor learns and changes nothing of webhooks.
func TestHooksAreForStaff(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		h, secret := s.putHook(hook(nil))
		id := s.turn("m").ID
		s.unchanged("a visitor", func() {
			_, _, err := s.store.PutHook(ctx, s.visitor, hook(nil))
			s.want("put", err, "operators_only")
			_, err = s.store.RotateHook(ctx, s.visitor, h.ID)
			s.want("rotate", err, "operators_only")
			s.want("drop", s.store.DropHookKey(ctx, s.visitor, h.ID, secret.Key), "operators_only")
			s.want("delete", s.store.DeleteHook(ctx, s.visitor, h.ID), "operators_only")
			s.want("replay", s.store.ReplayHook(ctx, s.visitor, h.ID, id, 1), "operators_only")
			_, _, err = s.store.FailedHooks(ctx, s.visitor, h.ID, parley.PageRequest{})
			s.want("failed", err, "operators_only")
		})
	})
}

// TestHooksDie lets the process die at every call of a change of endpoints, and
// lets writes end without anybody knowing how.
func TestHooksDie(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Throttle, fault.Conflict, fault.Lost, fault.Unanswered} {
		for call, more := 1, true; more; call++ {
			onBolt(t, func(s scene) {
				h, _ := s.putHook(hook(nil))
				p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				store := s.over(p)
				_, _, err := store.PutHook(context.Background(), s.operator(), hook(nil))
				if err == nil {
					_, err = store.RotateHook(context.Background(), s.operator(), h.ID)
				}
				if err == nil {
					err = store.DeleteHook(context.Background(), s.operator(), h.ID)
				}
				more = p.Calls() >= call
				survives := kind != fault.CrashBefore && kind != fault.CrashAfter
				if stored := s.hooks(); survives && (err != nil || len(stored) != 1 || len(stored[0].Keys) != 1) || len(stored) == 0 || len(stored) > 2 {
					s.Errorf("fault %d at call %d: %v leaves %+v", kind, call, err, stored)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}

// TestHookEvents: every entry is one kind of webhook, or none.
func TestHookEvents(t *testing.T) {
	tests := []struct {
		entry parley.Entry
		want  parley.HookEvent
	}{
		{parley.Entry{Text: "hi"}, parley.HookMessage},
		{parley.Entry{Erased: true}, parley.HookMessage},
		{parley.Entry{Text: "psst", Internal: true}, parley.HookInternal},
		{parley.Entry{Event: parley.EventTakenOver, Internal: true}, parley.HookInternal},
		{parley.Entry{Event: parley.EventVote, Amends: 3}, parley.HookAmended},
		{parley.Entry{Event: parley.EventHandedOver}, parley.HookTakeover},
		{parley.Entry{Event: parley.EventTakenOver}, parley.HookTakeover},
		{parley.Entry{Event: parley.EventHandedBack}, parley.HookTakeover},
		{parley.Entry{Event: parley.EventClosed}, parley.HookClosed},
		{parley.Entry{Event: parley.EventResolved}, parley.HookResolved},
		{parley.Entry{Event: parley.EventReopened}, parley.HookReopened},
		{parley.Entry{Event: parley.EventReviewed, Internal: true}, parley.HookReviewed},
		{parley.Entry{Event: parley.EventRated}, parley.HookRated},
		{parley.Entry{Event: parley.EventJoined}, ""},
		{parley.Entry{Event: parley.EventIdentified}, ""},
		{parley.Entry{Event: parley.EventNoReply}, ""},
	}
	for _, test := range tests {
		if got := test.entry.HookEvent(); got != test.want {
			t.Errorf("%+v is %q, want %q", test.entry, got, test.want)
		}
	}
}

// TestFailedHooks: what was given up is listed, newest first, until it is
// delivered, and is erased with its session.
func TestFailedHooks(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, op := context.Background(), s.operator()
		h, _ := s.putHook(hook(nil))
		first, second := s.turn("m1").ID, s.turn("m2").ID
		fail := func(id parley.SessionID, n parley.Seq) {
			s.want("fail", s.store.FailHook(ctx, "demo", parley.FailedHook{Hook: h.ID, Session: id, Seq: n, Event: parley.HookMessage,
				Attempts: 8, Reason: "answered 500"}), "")
			await(time.Second)
		}
		fail(first, 1)
		fail(second, 2)
		fail(first, 2)
		fail(first, 2) // again, by a worker that had died before its mark moved
		listed := func() (all []string) {
			r := parley.PageRequest{Limit: 2}
			for {
				page, next, err := s.store.FailedHooks(ctx, op, h.ID, r)
				s.want("list", err, "")
				for _, f := range page {
					all = append(all, fmt.Sprint(map[parley.SessionID]string{first: "first", second: "second"}[f.Session], f.Seq))
					if f.Attempts != 8 || f.Reason != "answered 500" || f.Event != parley.HookMessage || f.Hook != h.ID || f.At == 0 {
						s.Errorf("listed %+v", f)
					}
				}
				if next == "" {
					return all
				}
				r.Cursor = next
			}
		}
		if got := listed(); !slices.Equal(got, []string{"first2", "second2", "first1"}) {
			s.Errorf("listed %q", got)
		}
		state, err := s.store.HookState(ctx, "demo", first, h.ID)
		if err != nil || len(state.Failed) != 2 || !state.Failed[1] || !state.Failed[2] || state.Replay != 0 {
			s.Errorf("state = %+v, %v", state, err)
		}
		s.want("unfail", s.store.UnfailHook(ctx, "demo", first, h.ID, 2), "")
		s.want("erase", s.store.Erase(ctx, s.visitor, second), "")
		if got := listed(); !slices.Equal(got, []string{"first1"}) {
			s.Errorf("after a delivery and an erasure listed %q", got)
		}
		s.want("fail in an erased session", s.store.FailHook(ctx, "demo", parley.FailedHook{Hook: h.ID, Session: second, Seq: 3}), "not_found")
		for _, wrong := range []string{"x", "e30", "WyJhIl0"} {
			_, _, err := s.store.FailedHooks(ctx, op, h.ID, parley.PageRequest{Cursor: wrong})
			s.want("cursor "+wrong, err, "invalid_cursor")
		}
		await(31 * 24 * time.Hour)
		if got := listed(); len(got) != 0 {
			s.Errorf("after a month listed %q", got)
		}
	})
}

// TestReplayHook: a mark goes back, and the sweep wakes the follower.
func TestReplayHook(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx, op := context.Background(), s.operator()
		parleytest.Sweep(s, s.store)
		h, _ := s.putHook(hook(nil))
		d := s.follower(s.turn("m").ID)
		d.way.Follower = h.ID.Follower()
		s.want("follow", d.follow(s.store), "")
		d.got = nil
		s.want("replay", s.store.ReplayHook(ctx, op, h.ID, d.way.Session, 2), "")
		if d.sweep() != 1 || !slices.Equal(d.got, []parley.Seq{2}) {
			s.Errorf("replayed %v", d.got)
		}
		state, err := s.store.HookState(ctx, "demo", d.way.Session, h.ID)
		if err != nil || state.Replay != 2 || state.ReplayAt == 0 {
			s.Errorf("state = %+v, %v", state, err)
		}
		d.got, d.fails = nil, func(e parley.Entry, _ int) error {
			s.want("replay while it is at work", s.store.ReplayHook(ctx, op, h.ID, d.way.Session, 1), "hook_busy")
			return nil
		}
		s.want("replay all", s.store.ReplayHook(ctx, op, h.ID, d.way.Session, 0), "")
		s.want("follow", d.follow(s.store), "")
		if !slices.Equal(d.got, []parley.Seq{1, 2}) {
			s.Errorf("replayed %v", d.got)
		}
		d.idle("in the end")
		for name, from := range map[string]parley.Seq{"before the first": -1, "after the newest": 3} {
			s.want(name, s.store.ReplayHook(ctx, op, h.ID, d.way.Session, from), "invalid_field")
		}
		s.want("another hook", s.store.ReplayHook(ctx, op, "wh_none", d.way.Session, 1), "not_found")
		s.want("another session", s.store.ReplayHook(ctx, op, h.ID, "snone", 1), "not_found")
		h.Disabled = true
		s.putHook(h)
		s.want("disabled", s.store.ReplayHook(ctx, op, h.ID, d.way.Session, 1), "hook_disabled")
		s.want("erase", s.store.Erase(ctx, s.visitor, d.way.Session), "")
		s.want("erased", s.store.ReplayHook(ctx, op, h.ID, d.way.Session, 1), "not_found")
	})
}

// TestReplayDies lets the process die at every call of a replay, and repeats it:
// the entries asked for come again, and no other is lost.
func TestReplayDies(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter, fault.Lost, fault.Unanswered} {
		for call, more := 1, true; more; call++ {
			onBolt(t, func(s scene) {
				parleytest.Sweep(s, s.store)
				h, _ := s.putHook(hook(nil))
				d := s.follower(s.turn("m").ID)
				d.way.Follower = h.ID.Follower()
				s.want("follow", d.follow(s.store), "")
				d.got = nil
				p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				err := s.over(p).ReplayHook(context.Background(), s.operator(), h.ID, d.way.Session, 2)
				more = p.Calls() >= call
				if err != nil {
					s.want("replay again", s.store.ReplayHook(context.Background(), s.operator(), h.ID, d.way.Session, 2), "")
				}
				s.reply(s.send(say("n", d.way.Session)).Claim, "reply")
				for range 3 {
					await(time.Minute)
					d.sweep()
				}
				if !slices.Equal(d.got, []parley.Seq{2, 3, 4}) {
					s.Errorf("fault %d at call %d: done %v", kind, call, d.got)
				}
				d.idle("in the end")
			})
			if t.Failed() {
				return
			}
		}
	}
}

package parley_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// pairs makes metadata of n pairs, the keys and values of so many bytes.
func pairs(n, key, value int) map[string]string {
	m := map[string]string{}
	for i := range n {
		k := fmt.Sprint(i)
		m[k+strings.Repeat("k", key-len(k))] = strings.Repeat("v", value)
	}
	return m
}

// fields are the limits of what a message brings: each change keeps or breaks one.
var fields = []struct {
	name   string
	change func(*parley.SendRequest)
	code   string
}{
	{"the longest id", func(r *parley.SendRequest) { r.ID = parley.EntryID(strings.Repeat("x", 128)) }, ""},
	{"a longer id", func(r *parley.SendRequest) { r.ID = parley.EntryID(strings.Repeat("x", 129)) }, "too_large"},
	{"no id", func(r *parley.SendRequest) { r.ID = "" }, "invalid_field"},
	{"an id of control characters", func(r *parley.SendRequest) { r.ID = "a\nb" }, "invalid_field"},
	{"an id that is not UTF-8", func(r *parley.SendRequest) { r.ID = "a\xff" }, "invalid_field"},
	{"the longest message", func(r *parley.SendRequest) { r.Content = strings.Repeat("ü", 8<<10) }, ""},
	{"a longer message", func(r *parley.SendRequest) { r.Content = strings.Repeat("x", 16<<10+1) }, "too_large"},
	{"a message that is not UTF-8", func(r *parley.SendRequest) { r.Content = "\xff" }, "invalid_field"},
	{"no message", func(r *parley.SendRequest) { r.Content = "" }, "invalid_field"},
	{"too many attachments", func(r *parley.SendRequest) { r.Attachments = make([]parley.FileID, 11) }, "invalid_field"},
	{"an attachment that is no id", func(r *parley.SendRequest) { r.Attachments = []parley.FileID{"\x00"} }, "attachment_unknown"},
	{"the longest page", func(r *parley.SendRequest) {
		r.Page = parley.Page{URL: strings.Repeat("u", 2000), Title: strings.Repeat("t", 2000)}
	}, ""},
	{"a longer address", func(r *parley.SendRequest) { r.Page.URL = strings.Repeat("u", 2001) }, "too_large"},
	{"a longer title", func(r *parley.SendRequest) { r.Page.Title = strings.Repeat("t", 2001) }, "too_large"},
	{"the most metadata", func(r *parley.SendRequest) { r.Metadata = pairs(50, 500, 500) }, ""},
	{"more metadata", func(r *parley.SendRequest) { r.Metadata = pairs(51, 2, 1) }, "invalid_field"},
	{"a longer key", func(r *parley.SendRequest) { r.Metadata = pairs(1, 501, 1) }, "too_large"},
	{"a longer value", func(r *parley.SendRequest) { r.Metadata = pairs(1, 1, 501) }, "too_large"},
	{"the longest language", func(r *parley.SendRequest) { r.Language = strings.Repeat("x", 35) }, ""},
	{"a longer language", func(r *parley.SendRequest) { r.Language = strings.Repeat("x", 36) }, "too_large"},
	{"an unknown wish", func(r *parley.SendRequest) { r.IfBusy = "maybe" }, "invalid_field"},
	{"a retry of no session", func(r *parley.SendRequest) { r.Content, r.Retry = "", "x" }, "invalid_field"},
	{"a retry with content", func(r *parley.SendRequest) { r.Session, r.Retry = "x", "x" }, "invalid_field"},
}

// TestInvariant14Bounded: every input has a limit, rates and budgets too, and
// past it there is a clear error and no change.
func TestInvariant14Bounded(t *testing.T) {
	t.Run("fields of a message", func(t *testing.T) { onBoth(t, boundedMessage) })
	for name, test := range map[string]func(scene){
		"fields of a person": boundedPerson,
		"fields of a rating": boundedRating,
		"queue":              boundedQueue,
		"message rate":       boundedRate,
		"rate of all tabs":   boundedRateOfAll,
		"rate of sessions":   boundedRateOfSessions,
		"visitors":           boundedVisitors,
		"visitor's tokens":   visitorsTokens,
		"shared tokens":      sharedTokens,
		"given back":         givenBack,
		"counters at once":   countersAtOnce,
	} {
		t.Run(name, func(t *testing.T) { onBoth(t, test) })
	}
}

func boundedMessage(s scene) {
	for i, field := range fields {
		r := say(parley.EntryID(fmt.Sprint("m", i)), "")
		field.change(&r)
		before := s.table.Dump(s)
		_, err := s.store.Send(context.Background(), s.visitor, r)
		s.want(field.name, err, field.code)
		if changed := parleytest.Differences(before, s.table.Dump(s)); field.code != "" && len(changed) > 0 {
			s.Errorf("%s changed %q", field.name, changed)
		}
		await(time.Second)
	}
}

func boundedPerson(s scene) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name string
		parley.IdentifyRequest
		code string
	}{
		{"the longest name and address", parley.IdentifyRequest{Name: long(500), Email: long(500), Language: long(35)}, ""},
		{"a longer name", parley.IdentifyRequest{Name: long(501)}, "too_large"},
		{"a longer address", parley.IdentifyRequest{Email: long(501)}, "too_large"},
		{"a longer language", parley.IdentifyRequest{Language: long(36)}, "too_large"},
		{"the longest identity", parley.IdentifyRequest{Identity: &parley.Identity{External: strings.Repeat("ü", 64), Email: strings.Repeat("@", 254),
			Name: long(500), Picture: long(2000), Metadata: pairs(50, 500, 500)}}, ""},
		{"a longer external id", parley.IdentifyRequest{Identity: &parley.Identity{External: long(129)}}, "too_large"},
		{"an external id of control characters", parley.IdentifyRequest{Identity: &parley.Identity{External: "\x00"}}, "invalid_field"},
		{"a longer signed address", parley.IdentifyRequest{Identity: &parley.Identity{Email: long(255)}}, "too_large"},
		{"a longer signed name", parley.IdentifyRequest{Identity: &parley.Identity{External: "x", Name: long(501)}}, "too_large"},
		{"a longer picture", parley.IdentifyRequest{Identity: &parley.Identity{External: "x", Picture: long(2001)}}, "too_large"},
		{"more metadata", parley.IdentifyRequest{Identity: &parley.Identity{External: "x", Metadata: pairs(51, 2, 1)}}, "invalid_field"},
		{"a longer value", parley.IdentifyRequest{Identity: &parley.Identity{External: "x", Metadata: pairs(1, 1, 501)}}, "too_large"},
	} {
		test.Caller.Project = "demo"
		before := s.table.Dump(s)
		_, err := s.store.Identify(context.Background(), test.IdentifyRequest)
		s.want(test.name, err, test.code)
		if changed := parleytest.Differences(before, s.table.Dump(s)); test.code != "" && len(changed) > 0 {
			s.Errorf("%s changed %q", test.name, changed)
		}
	}
	// Whoever signs other metadata every time does not make a contact grow.
	for n := range 3 {
		_, got := s.identify(parley.Caller{Project: "demo"}, &parley.Identity{External: "x", Metadata: map[string]string{fmt.Sprint(n): ""}})
		if len(got.Contact.Metadata) != 1 {
			s.Errorf("the contact's metadata is %v", got.Contact.Metadata)
		}
	}
}

func boundedRating(s scene) {
	id := s.turn("opening").ID
	s.rate(id, 5, strings.Repeat("ü", 2000))
	s.unchanged("a refused rating", func() {
		_, err := s.store.Rate(context.Background(), s.visitor, id, 5, strings.Repeat("x", 4001))
		s.want("longer feedback", err, "too_large")
		_, err = s.store.Rate(context.Background(), s.visitor, id, 5, "\xff")
		s.want("feedback that is not UTF-8", err, "invalid_field")
	})
}

// boundedQueue: ten wait, in order; the eleventh is refused, until one was answered.
func boundedQueue(s scene) {
	running := s.send(say("running", "")).Claim
	id := running.Ref.Session
	for n := range parley.MaxQueue {
		s.send(say(parley.EntryID(fmt.Sprint("w", n)), id))
		await(time.Second)
	}
	s.unchanged("one too many", func() {
		_, err := s.store.Send(context.Background(), s.visitor, say("late", id))
		s.want("one too many", err, "queue_full")
		s.want("one too many", err, "queue_full")
		if !is(err, parley.ErrLimit) {
			s.Errorf("%v is no limit", err)
		}
	})
	ended := s.reply(running, "reply")
	s.send(say("late", id))
	var order []parley.RunID
	for ended.Session.Run != nil {
		run := *ended.Session.Run
		if run.Since != time.Now().UnixMilli() {
			s.Errorf("%s has its turn since %d", run.ID, run.Since)
		}
		order = append(order, run.ID)
		await(time.Second)
		ref := parley.RunRef{Project: "demo", Session: id, Run: run.ID}
		var err error
		if ended, err = s.store.EndRun(context.Background(), ref, nil, parley.End{Next: 1, Of: parley.EntryID(run.ID),
			Status: parley.StatusDone, Text: "reply", Unflushed: "reply"}); err != nil {
			s.Fatal(err)
		}
	}
	if got := fmt.Sprint(order); got != "[w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 late]" {
		s.Errorf("their turns came as %s", got)
	}
	s.inOrder(id)
}

// limitedBy gives the scene's project other budgets.
func (s scene) limitedBy(b parley.Budgets) {
	s.Helper()
	p := generous()
	p.Budgets = b
	parleytest.Put(s, s.store, p)
}

// code sends and returns the error's code and when to try again.
func (s scene) code(r parley.SendRequest) (string, time.Duration) {
	_, err := s.store.Send(context.Background(), s.visitor, r)
	var e *parley.Error
	if errors.As(err, &e) {
		return e.Code, e.RetryAfter
	}
	if err != nil {
		s.Errorf("send: %v", err)
	}
	return "", 0
}

func boundedRate(s scene) {
	s.limitedBy(parley.Budgets{VisitorTokens: 1e9}) // 30 a minute, ten at once
	sent := 0
	next := func() (string, time.Duration) {
		sent++
		return s.code(say(parley.EntryID(fmt.Sprint("m", sent)), ""))
	}
	for range 10 {
		if code, _ := next(); code != "" {
			s.Fatalf("message %d: %s", sent, code)
		}
	}
	s.unchanged("the next one", func() {
		if code, after := next(); code != "rate_limited" || after != 2*time.Second {
			s.Errorf("message 11: %q, try again after %v", code, after)
		}
	})
	await(2*time.Second - time.Millisecond)
	if code, after := next(); code != "rate_limited" || after != time.Millisecond {
		s.Errorf("too early: %q, %v", code, after)
	}
	await(time.Millisecond)
	if code, _ := next(); code != "" {
		s.Errorf("in time: %q", code)
	}
	taken := 0
	for range 60 {
		await(time.Second)
		if code, _ := next(); code == "" {
			taken++
		}
	}
	if taken != 30 {
		s.Errorf("%d messages in a minute, want 30", taken)
	}
}

// boundedRateOfSessions: who may not write any more can still begin a session, some
// times: there they are told, and there they can write when they may again.
func boundedRateOfSessions(s scene) {
	s.limitedBy(parley.Budgets{VisitorTokens: 1e9})
	n := 0
	begin := func() parley.SessionID {
		n++
		id := parley.SessionID(fmt.Sprint("session", n))
		_, err := s.store.Begin(context.Background(), s.visitor, parley.BeginRequest{ID: id, Channel: parley.ChannelOpenCX})
		if code := parley.Code(err); err != nil && code != "rate_limited" {
			s.Fatalf("begin: %v", err)
		}
		if err != nil {
			return ""
		}
		return id
	}
	for range 10 {
		if code, _ := s.code(say(parley.EntryID(fmt.Sprint("m", n)), "")); code != "" {
			s.Fatalf("message %d: %s", n, code)
		}
		n++
	}
	last := begin()
	s.unchanged("a message in a session begun meanwhile", func() {
		if code, after := s.code(say("late", last)); code != "rate_limited" || after != 4*time.Second {
			s.Errorf("its first message: %q, try again after %v", code, after)
		}
	})
	for range 9 {
		if begin() == "" {
			s.Fatalf("session %d is refused", n)
		}
	}
	s.unchanged("one session more", func() {
		if begin() != "" {
			s.Errorf("session %d is taken", n)
		}
	})
	await(22 * time.Second)
	if code, _ := s.code(say("late", last)); code != "" {
		s.Errorf("the message, in time: %q", code)
	}
}

// boundedRateOfAll: who sends from many tabs at once has one rate.
func boundedRateOfAll(s scene) {
	s.limitedBy(parley.Budgets{VisitorTokens: 1e9})
	taken := make(chan bool, 24)
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			store := s.over(s.table)
			for i := range 4 {
				_, err := store.Send(context.Background(), s.visitor, say(parley.EntryID(fmt.Sprint(n, ".", i)), ""))
				if err != nil && parley.Code(err) != "rate_limited" {
					s.Errorf("send: %v", err)
				}
				taken <- err == nil
			}
		})
	}
	all.Wait()
	close(taken)
	n := 0
	for ok := range taken {
		if ok {
			n++
		}
	}
	if n < 10 || n > 12 { // conflicts take a little time, in which one or two more may come
		s.Errorf("%d messages at once, want 10", n)
	}
}

func boundedVisitors(s scene) {
	s.limitedBy(parley.Budgets{IdentifyPerHour: 20})
	await(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
	identify := func(address string) error {
		_, err := s.over(s.table).Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: "demo", Address: address}})
		return err
	}
	for range 20 {
		s.want("identify", identify("198.51.100.1"), "")
	}
	err := identify("198.51.100.1")
	s.want("one too many", err, "identify_limit")
	if e := (*parley.Error)(nil); errors.As(err, &e) && e.RetryAfter != time.Hour {
		s.Errorf("try again after %v", e.RetryAfter)
	}
	s.want("another address", identify("198.51.100.2"), "")
	s.want("no address", identify(""), "")
	await(time.Hour)
	s.want("the next hour", identify("198.51.100.1"), "")
}

// reserved is what a run of the default agent sets aside: 1,000 for the reply,
// 3,000 for what is read.
const reserved = 4000

func visitorsTokens(s scene) {
	s.limitedBy(parley.Budgets{VisitorTokens: 2*reserved + reserved/2})
	await(time.Hour)
	first := s.send(say("m1", "")).Claim
	second := s.send(say("m2", "")).Claim
	if first.First.Reserved != reserved {
		s.Errorf("reserved are %d", first.First.Reserved)
	}
	s.unchanged("one too many", func() {
		if code, after := s.code(say("m3", "")); code != "budget_spent" || after != 23*time.Hour {
			s.Errorf("one too many: %q, try again after %v", code, after)
		}
		if code, _ := s.code(say("m3", first.Ref.Session)); code != "budget_spent" {
			s.Errorf("one too many waits: %q", code)
		}
	})
	settle := func(claim *parley.Claim, used int64) {
		if err := s.store.Settle(context.Background(), "demo", claim.First, used); err != nil {
			s.Error(err)
		}
	}
	settle(first, 100)
	third := s.send(say("m3", "")).Claim
	if code, _ := s.code(say("m4", "")); code != "budget_spent" {
		s.Errorf("spent again: %q", code)
	}
	settle(second, reserved+5000) // no more than was set aside
	if code, _ := s.code(say("m4", "")); code != "budget_spent" {
		s.Errorf("used more than was set aside: %q", code)
	}
	await(24 * time.Hour)
	s.send(say("m5", ""))
	settle(third, 0) // of yesterday
	s.send(say("m6", ""))
	if code, _ := s.code(say("m7", "")); code != "budget_spent" {
		s.Errorf("yesterday's tokens are spent today: %q", code)
	}
}

// sharedTokens: the address's and the project's.
func sharedTokens(s scene) {
	ctx := context.Background()
	p := generous()
	reserve := func(address string) (*parley.Reservation, string) {
		r, err := s.over(s.table).Reserve(ctx, &p, address, p.Agents[0])
		return r, parley.Code(err)
	}
	p.Budgets = parley.Budgets{ProjectTokens: 5 * reserved, AddressTokens: 2 * reserved}
	for n, want := range []string{"", "", "budget_spent"} {
		if _, code := reserve("here"); code != want {
			s.Errorf("reservation %d: %q, want %q", n, code, want)
		}
	}
	// What the address refused was taken from the project by a process that has ended.
	for n, want := range []string{"", "", "budget_spent"} {
		if _, code := reserve(fmt.Sprint("there", n)); code != want {
			s.Errorf("another address %d: %q, want %q", n, code, want)
		}
	}
	await(24 * time.Hour)
	store := s.over(s.table)
	p.Budgets = parley.Budgets{ProjectTokens: 2 * reserved, AddressTokens: 2 * reserved}
	for range 5 { // one process gives back what its runs did not use
		r, err := store.Reserve(ctx, &p, "here", p.Agents[0])
		if err != nil {
			s.Fatal(err)
		}
		r.Release(1000)
		r.Release(0) // once
	}
	if _, err := store.Reserve(ctx, &p, "here", p.Agents[0]); parley.Code(err) != "budget_spent" {
		s.Errorf("after 5 runs of 1,000: %v", err)
	}
}

// givenBack: what was set aside for a run that nobody began is not lost.
func givenBack(s scene) {
	ctx := context.Background()
	p := generous()
	p.Budgets.VisitorTokens = 5 * reserved
	parleytest.Put(s, s.store, p)
	for name, end := range map[string]func(id parley.SessionID, running *parley.Claim) error{
		"cancel": func(id parley.SessionID, _ *parley.Claim) error {
			_, err := s.store.Cancel(ctx, s.visitor, id, "")
			return err
		},
		"takeover": func(id parley.SessionID, _ *parley.Claim) error {
			return s.store.TakeOver(ctx, s.operator(), id, human("Ola"))
		},
		"handover": func(_ parley.SessionID, running *parley.Claim) error {
			_, err := s.store.EndRun(ctx, running.Ref, nil, parley.End{Next: running.Next, Of: "x", Status: parley.StatusDone,
				Text: "wait", Unflushed: "wait", Handover: true})
			return err
		},
		"erasure": func(id parley.SessionID, _ *parley.Claim) error { return s.store.Erase(ctx, s.visitor, id) },
	} {
		s.visitor = parleytest.Visitor(s, s.store)
		running := s.send(say(parley.EntryID(name), "")).Claim
		id := running.Ref.Session
		for n := range 4 {
			s.send(say(parley.EntryID(fmt.Sprint(name, n)), id))
		}
		if code, _ := s.code(say(parley.EntryID(name+"?"), "")); code != "budget_spent" {
			s.Fatalf("%s: five runs have not spent the budget: %q", name, code)
		}
		if err := end(id, running); err != nil {
			s.Fatal(err)
		}
		// The first run had begun: its runner settles, if with all that it had.
		for n, want := range []string{"", "", "", "", "budget_spent"} {
			if code, _ := s.code(say(parley.EntryID(fmt.Sprint(name, "again", n)), "")); code != want {
				s.Errorf("after a %s, message %d: %q, want %q", name, n, code, want)
			}
		}
	}
}

// countersAtOnce: however many processes take from a limit in blocks, they
// never have more of it together, and nearly all of it.
func countersAtOnce(s scene) {
	p := generous()
	p.Budgets = parley.Budgets{ProjectTokens: 80 * reserved, AddressTokens: 40 * reserved}
	var mu sync.Mutex
	var taken int
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			store := s.over(s.table)
			for range 10 {
				_, err := store.Reserve(context.Background(), &p, "here", p.Agents[0])
				if err != nil && parley.Code(err) != "budget_spent" {
					s.Errorf("reserve: %v", err)
				}
				mu.Lock()
				if err == nil {
					taken++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	// A block is a sixteenth of the limit; each process may hold an unused part of one.
	if taken > 40 || taken < 40/2 {
		s.Errorf("%d runs, at most 40 fit", taken)
	}
	for k, item := range s.table.Dump(s) {
		if strings.HasPrefix(k.PK, "demo/count/address_tokens/") && item.Int("n") > 40*reserved {
			s.Errorf("%v counts %d of %d", k, item.Int("n"), 40*reserved)
		}
	}
}

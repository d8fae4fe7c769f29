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
	"parley/shared/table/meter"
)

// from is another visitor who writes from an address.
func (s scene) from(address string) parley.Caller {
	s.Helper()
	c := parleytest.Visitor(s, s.store)
	c.Address = address
	return c
}

// sends sends messages as somebody until one is refused, at most so many, and returns
// how many were stored. Each has its own words.
func (s scene) sends(c parley.Caller, name string, most int, text string) int {
	s.Helper()
	for n := range most {
		r := parleytest.Say(parley.EntryID(fmt.Sprint(name, n)), "", text)
		s.visitor = c
		var code string
		if code, _ = s.code(r); code == "" {
			await(time.Second)
			continue
		}
		if code != "budget_spent" {
			s.Fatalf("message %d of %s: %s", n, name, code)
		}
		s.unchanged("a message above the bound", func() { s.code(r) })
		return n
	}
	return most
}

// TestADayHoldsSoMuch: messages and bytes of a visitor, an address and a project end
// at the day's bound, and there is as much again the next day.
func TestADayHoldsSoMuch(t *testing.T) {
	const one, two = "198.51.100.1", "198.51.100.2"
	for _, test := range []struct {
		name string
		b    parley.Budgets
		text string
		// most are messages of one visitor, of another at the same address, and of one
		// at another address.
		most [3][2]int
	}{
		{"messages of a visitor", parley.Budgets{VisitorMessages: 5}, "hello", [3][2]int{{5, 5}, {5, 5}, {5, 5}}},
		{"messages of an address", parley.Budgets{AddressMessages: 8}, "hello", [3][2]int{{8, 9}, {0, 0}, {8, 9}}},
		{"messages of a project", parley.Budgets{ProjectMessages: 8}, "hello", [3][2]int{{8, 9}, {0, 0}, {0, 0}}},
		{"bytes of a visitor", parley.Budgets{VisitorBytes: 50_000}, words(10_000), [3][2]int{{4, 4}, {4, 4}, {4, 4}}},
		{"bytes of an address", parley.Budgets{AddressBytes: 50_000}, words(10_000), [3][2]int{{4, 6}, {0, 0}, {4, 6}}},
		{"bytes of a project", parley.Budgets{ProjectBytes: 50_000}, words(10_000), [3][2]int{{4, 6}, {0, 0}, {0, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(s scene) {
				b := generous().Budgets
				for from, to := range map[*int64]*int64{&test.b.VisitorMessages: &b.VisitorMessages, &test.b.AddressMessages: &b.AddressMessages,
					&test.b.ProjectMessages: &b.ProjectMessages, &test.b.VisitorBytes: &b.VisitorBytes,
					&test.b.AddressBytes: &b.AddressBytes, &test.b.ProjectBytes: &b.ProjectBytes} {
					if *from > 0 {
						*to = *from
					}
				}
				s.limitedBy(b)
				who := []parley.Caller{s.from(one), s.from(one), s.from(two)}
				for day := range 2 {
					for i, c := range who {
						got := s.sends(c, fmt.Sprint("day", day, "who", i, "n"), 20, test.text)
						if want := test.most[i]; got < want[0] || got > want[1] {
							s.Errorf("day %d: visitor %d stored %d messages, want %v", day, i, got, want)
						}
					}
					await(24 * time.Hour)
				}
			})
		})
	}
}

// TestADayHoldsOtherChanges: what is no message takes of the same bounds, so that a
// page which closes and comes back, or sets checkpoints, ends there too.
func TestADayHoldsOtherChanges(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(s scene, id parley.SessionID, n int) error{
		"close": func(s scene, id parley.SessionID, _ int) error {
			err := s.store.Close(ctx, s.visitor, id)
			if err == nil {
				_, _, err = s.store.OpenPage(ctx, s.visitor, id) // which undoes it
			}
			return err
		},
		"checkpoint": func(s scene, id parley.SessionID, n int) error {
			_, err := s.store.Checkpoint(ctx, s.visitor, id, json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)))
			return err
		},
		"vote": func(s scene, id parley.SessionID, n int) error {
			_, err := s.store.Vote(ctx, s.visitor, id, s.answerOf(id), []parley.Vote{parley.VoteUp, parley.VoteDown}[n%2])
			return err
		},
		"rating": func(s scene, id parley.SessionID, n int) error {
			_, err := s.store.Rate(ctx, s.visitor, id, 1+n%5, "")
			return err
		},
		"session": func(s scene, _ parley.SessionID, _ int) error {
			_, err := s.store.Begin(ctx, s.visitor, parley.BeginRequest{Channel: parley.ChannelOpenCX})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(s scene) {
				b := generous().Budgets
				b.VisitorMessages = 6
				s.limitedBy(b)
				id := s.turn("m1").ID
				for n := range 5 {
					await(time.Second)
					s.want(fmt.Sprint("change ", n), change(s, id, n), "")
				}
				await(time.Second)
				s.onlyPaced("one too many", func() { s.want("one too many", change(s, id, 5), "budget_spent") })
				await(24 * time.Hour)
				s.want("the next day", change(s, id, 6), "")
			})
		})
	}
}

// answerOf is the id of a session's newest answer.
func (s scene) answerOf(id parley.SessionID) parley.EntryID {
	s.Helper()
	entries := parleytest.Entries(s, s.store, s.operator(), id)
	for _, e := range slices.Backward(entries) {
		if e.IsMessage() && e.Author.Kind == parley.AuthorAI {
			return e.ID
		}
	}
	s.Fatal("no answer")
	return ""
}

// TestNewVisitorsBytes: what browsers say of new visitors is bounded by the address
// too, and who says little costs nothing more.
func TestNewVisitorsBytes(t *testing.T) {
	onBoth(t, func(s scene) {
		b := generous().Budgets
		b.AddressBytes = 120_000
		s.limitedBy(b)
		identify := func(metadata map[string]string) error {
			_, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Metadata: metadata,
				Caller: parley.Caller{Project: parleytest.Project, Address: "198.51.100.1"}})
			return err
		}
		much := pairs(50, 500, 500)
		stored := 0
		for identify(much) == nil && stored < 20 {
			stored++
		}
		if stored != 3 { // 50 KB each, and one may be above
			s.Errorf("%d visitors with 50 KB each", stored)
		}
		s.unchanged("one too many", func() { s.want("one too many", identify(much), "budget_spent") })
		s.want("who says little", identify(map[string]string{"plan": "pro"}), "")
	})
}

// TestOneHomeOneAddress: all addresses of one network of IPv6 count as one, those of
// a larger one together with a wider limit, and IPv4 counts as itself however it is
// written.
func TestOneHomeOneAddress(t *testing.T) {
	onBoth(t, func(s scene) {
		b := generous().Budgets
		b.IdentifyPerHour = 3
		s.limitedBy(b)
		await(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
		become := func(address string) string {
			_, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: parley.Caller{Project: parleytest.Project, Address: address}})
			return parley.Code(err)
		}
		for i, address := range []string{"2001:db8:1:1::1", "2001:db8:1:1:ffff::", "2001:db8:1:1:1234:5678:9abc:def0"} {
			if code := become(address); code != "" {
				s.Errorf("address %d of a network: %s", i, code)
			}
		}
		s.unchanged("a fourth", func() {
			if code := become("2001:db8:1:1::4"); code != "identify_limit" {
				s.Errorf("a fourth address of one network: %q", code)
			}
		})
		taken := 3
		for n := range 40 {
			if become(fmt.Sprintf("2001:db8:1:%x::1", n+2)) == "" {
				taken++
			}
		}
		if taken != 8*3 {
			s.Errorf("%d visitors of one /48, want 24", taken)
		}
		if code := become("2001:db8:2::1"); code != "" {
			s.Errorf("another /48: %s", code)
		}
		for _, address := range []string{"203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9"} {
			if code := become(address); code != "" {
				s.Errorf("%s: %s", address, code)
			}
		}
		if code := become("::ffff:203.0.113.9"); code != "identify_limit" {
			s.Errorf("IPv4 written as IPv6 counts apart: %q", code)
		}
		for k, item := range s.table.Dump(s) {
			if text := fmt.Sprint(k, item); strings.Contains(text, "2001") || strings.Contains(text, "203.0.113") || strings.Contains(text, "db8") {
				s.Errorf("an address is stored: %s", text)
			}
		}
	})
}

// TestAddressTokensOfIPv6: a run's tokens are taken from both networks of the caller.
func TestAddressTokensOfIPv6(t *testing.T) {
	onBoth(t, func(s scene) {
		p := generous()
		p.Budgets.AddressTokens = 2 * reserved
		took := 0
		for n := range 40 {
			c := parley.Caller{Project: p.ID, Address: fmt.Sprintf("2001:db8:7:%x::%x", n, n)}
			if _, err := s.store.Reserve(context.Background(), &p, s.store.AddressHash(c), p.Agents[0]); err == nil {
				took++
			}
		}
		if took != 8*2 {
			s.Errorf("%d runs of one /48, want 16", took)
		}
		c := parley.Caller{Project: p.ID, Address: "203.0.113.7"}
		if mapped := (parley.Caller{Project: p.ID, Address: "::ffff:203.0.113.7"}); s.store.AddressHash(c) != s.store.AddressHash(mapped) {
			s.Error("IPv4 written as IPv6 is another address")
		}
	})
}

// TestNear: of a bound that is nearly used up somebody is told once, before anybody is
// refused, and of others nobody.
func TestNear(t *testing.T) {
	onBoth(t, func(s scene) {
		b := generous().Budgets
		b.ProjectMessages = 50
		s.limitedBy(b)
		var near []parley.Near
		s.store = parleytest.Store(s, parley.Config{Table: s.table, Bucket: s.bucket, Near: func(n parley.Near) { near = append(near, n) }})
		for n := range 50 {
			if code, _ := s.code(say(parley.EntryID(fmt.Sprint("m", n)), "")); code != "" {
				s.Fatalf("message %d: %s", n, code)
			}
			await(time.Second)
			if told := len(near) > 0; told != (n >= 40) {
				s.Fatalf("after %d messages of 50: %+v", n+1, near)
			}
		}
		if want := (parley.Near{Project: parleytest.Project, Bound: "project", What: "n"}); len(near) != 1 || near[0] != want {
			s.Errorf("told of %+v, want %+v once", near, want)
		}
	})
}

// TestStoredAsWritten: text is not stored several times as long as it is, whatever it
// is made of: the largest message costs no more than its bytes.
func TestStoredAsWritten(t *testing.T) {
	onBolt(t, func(s scene) {
		m := meter.New(meter.Config{Table: s.table})
		s.store = s.over(m)
		s.send(say("before", ""))
		for n, text := range map[string]string{"markup": "<", "ampersands": "&", "words": "x", "quotes": `"`, "lines": "\n"} {
			await(time.Second)
			m.Reset()
			s.send(parleytest.Say(parley.EntryID(n), "", strings.Repeat(text, parley.MaxMessageBytes)))
			bound := 2 * (parley.MaxMessageBytes/1024 + 1)
			if text == `"` || text == "\n" {
				bound *= 2
			}
			if got := m.Counts().WriteUnits(); got > bound+12 {
				s.Errorf("%s: %d write units, want at most %d", n, got, bound+12)
			}
		}
		for name, r := range map[string]parley.SendRequest{
			"content":  parleytest.Say("c1", "", strings.Repeat("\x01", parley.MaxMessageBytes)),
			"greeting": {ID: "c2", Content: "x", Greeting: []parley.Said{{ID: "c3", Text: strings.Repeat("\x01", parley.MaxMessageBytes)}}},
			"metadata": {ID: "c4", Content: "x", Metadata: map[string]string{"x": strings.Repeat("\x01", parley.MaxMetadataBytes)}},
			"page":     {ID: "c5", Content: "x", Page: parley.Page{Title: strings.Repeat("\x01", parley.MaxPageBytes)}},
			"prompt":   {ID: "c6", Content: "x", Extras: parley.Extras{Prompt: strings.Repeat("\x01", parley.MaxPromptBytes)}},
		} {
			s.unchanged(name, func() {
				_, err := s.store.Send(context.Background(), s.visitor, r)
				s.want(name+" of control characters", err, "too_large")
			})
		}
	})
}

// TestUploadsOfAnAddress: files and their announced bytes are bounded by address, and
// nothing but what was announced is taken.
func TestUploadsOfAnAddress(t *testing.T) {
	for name, b := range map[string]parley.Budgets{"files": {AddressUploads: 4}, "bytes": {AddressUploadBytes: 4000}} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(s scene) {
				budgets := generous().Budgets
				budgets.AddressUploads, budgets.AddressUploadBytes = b.AddressUploads, b.AddressUploadBytes
				s.limitedBy(budgets)
				grant := func(c parley.Caller) error {
					_, err := s.store.GrantUpload(context.Background(), c, "a.txt", "text/plain", 1000)
					return err
				}
				const address = "198.51.100.1"
				for n := range 4 {
					s.want(fmt.Sprint("file ", n), grant(s.from(address)), "")
				}
				next := s.from(address)
				s.unchanged("one too many", func() { s.want("one too many", grant(next), "uploads_limit") })
				s.want("another address", grant(s.from("198.51.100.2")), "")
				await(24 * time.Hour)
				s.want("the next day", grant(next), "")
			})
		})
	}
	onBolt(t, func(s scene) {
		for _, size := range []int{99, 101} {
			g, err := s.store.GrantUpload(context.Background(), s.visitor, "a.txt", "text/plain", 100)
			if err != nil {
				s.Fatal(err)
			}
			if status := s.bucket.Upload(s, g.Upload, []byte(words(size))); status < 400 {
				s.Errorf("the bucket takes %d bytes where 100 were announced: %d", size, status)
			}
		}
	})
}

// TestRefusedUploadOfANetwork: what the /48 has too little left for is not taken from
// its part's bytes: a smaller file is still accepted.
func TestRefusedUploadOfANetwork(t *testing.T) {
	onBolt(t, func(s scene) {
		b := generous().Budgets
		b.AddressUploadBytes = 4000
		s.limitedBy(b)
		grant := func(network int, size int64) string {
			_, err := s.store.GrantUpload(context.Background(), s.from(fmt.Sprintf("2001:db8:1:%x::1", network)), "a.txt", "text/plain", size)
			return parley.Code(err)
		}
		for network := range 8 {
			for _, size := range []int64{1000, 1000, 1000, 500} {
				if code := grant(network, size); code != "" {
					s.Fatalf("network %d: %s", network, code)
				}
			}
		}
		if code := grant(20, 2000); code != "" {
			s.Fatalf("half of what the /48 has left: %s", code)
		}
		for range 4 {
			if code := grant(30, 3000); code != "uploads_limit" {
				s.Errorf("more than the /48 has left: %q", code)
			}
		}
		if code := grant(30, 2000); code != "" {
			s.Errorf("what the /48 has left: %s", code)
		}
	})
}

// TestRefusedVisitorOfANetwork: who is refused for the /48's sake writes nothing more
// to the counter of its part, however often it asks.
func TestRefusedVisitorOfANetwork(t *testing.T) {
	onBolt(t, func(s scene) {
		b := generous().Budgets
		b.IdentifyPerHour = 4
		s.limitedBy(b)
		await(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
		become := func(network int) string {
			c := parley.Caller{Project: parleytest.Project, Address: fmt.Sprintf("2001:db8:1:%x::1", network)}
			_, err := s.store.Identify(context.Background(), parley.IdentifyRequest{Caller: c})
			return parley.Code(err)
		}
		for n := range 8 * 4 {
			if code := become(n / 4); code != "" {
				s.Fatalf("visitor %d: %s", n, code)
			}
		}
		refuse := func() {
			if code := become(30); code != "identify_limit" {
				s.Errorf("one too many of a /48: %q", code)
			}
		}
		refuse() // it takes one out of the table, which the process keeps
		s.unchanged("another too many", func() { refuse(); refuse() })
	})
}

// TestBudgetsByDefault: a bound that a project does not set is the documented one, and
// one that it sets is its own.
func TestBudgetsByDefault(t *testing.T) {
	want := parley.Budgets{VisitorTokens: 200_000, AddressTokens: 1_000_000, ProjectTokens: 20_000_000,
		MessagesPerMinute: 30, IdentifyPerHour: 600, UploadsPerHour: 60,
		VisitorMessages: 1000, AddressMessages: 10_000, ProjectMessages: 200_000,
		VisitorBytes: 4 << 20, AddressBytes: 32 << 20, ProjectBytes: 1 << 30,
		AddressUploads: 1000, AddressUploadBytes: 1 << 30, CallsPerMinute: 600}
	if got := (parley.Budgets{}).WithDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	var own parley.Budgets
	fields := reflect.ValueOf(&own).Elem()
	for i := range fields.NumField() {
		fields.Field(i).SetInt(int64(i + 1))
	}
	if got := own.WithDefaults(); got != own {
		t.Errorf("a project's own are %+v, want %+v", got, own)
	}
}

package parley_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
)

// naive lists a caller's sessions by looking at the whole table.
func (s scene) naive(visitors ...parley.VisitorID) (ids []parley.SessionID) {
	s.Helper()
	type listed struct {
		id    parley.SessionID
		Owner parley.Owner
		At    int64
	}
	var all []listed
	for k, item := range s.table.Dump(s) {
		id, isSession := strings.CutPrefix(k.PK, "demo/session/")
		if !isSession || k.SK != "entry~" || item.Bool("erased") {
			continue
		}
		one := listed{id: parley.SessionID(id)}
		if err := json.Unmarshal([]byte(item.String("data")), &one); err != nil {
			s.Fatal(err)
		}
		if slices.Contains(visitors, one.Owner.Visitor) {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.id, a.id)) })
	for _, one := range all {
		ids = append(ids, one.id)
	}
	return ids
}

// pages lists a caller's sessions page by page.
func (s scene) pages(store *parley.Store, c parley.Caller, limit int) (ids []parley.SessionID) {
	s.Helper()
	cursor := ""
	for {
		page, next, err := store.Sessions(context.Background(), c, parley.PageRequest{Limit: limit, Cursor: cursor})
		if err != nil {
			s.Fatalf("sessions: %v", err)
		}
		if len(page) > limit || next != "" && len(page) != limit {
			s.Fatalf("a page of %d, limit %d, next %q", len(page), limit, next)
		}
		for _, session := range page {
			ids = append(ids, session.ID)
		}
		if cursor = next; next == "" {
			return ids
		}
	}
}

// live lets a visitor be active in random sessions for hours.
func (s scene) live(dice *rand.Rand, c parley.Caller, prefix string, sessions, turns int) {
	s.Helper()
	var ids []parley.SessionID
	for n := range turns {
		id := parley.SessionID("")
		if len(ids) >= sessions || len(ids) > 0 && dice.IntN(2) == 0 {
			id = ids[dice.IntN(len(ids))]
		}
		got := parleytest.Turn(s, s.store, c, parley.EntryID(fmt.Sprint(prefix, n)), id)
		if id == "" {
			ids = append(ids, got.ID)
		}
		switch dice.IntN(4) {
		case 0:
			await(time.Duration(dice.IntN(int(40 * time.Minute))))
		case 1:
			await(time.Duration(dice.IntN(int(time.Second))))
		case 2:
			await(14*time.Minute + 59*time.Second + time.Duration(dice.IntN(int(2*time.Second))))
		}
	}
}

// TestHistoryIsExact compares the list of sessions, whose index moves at most
// once in 15 minutes, with a look at everything.
func TestHistoryIsExact(t *testing.T) {
	exact := func(s scene, seed uint64, turns int) {
		s.live(rand.New(rand.NewPCG(seed, 1)), s.visitor, "m", turns/2, turns)
		want := s.naive(s.visitor.Visitor)
		for _, limit := range []int{1, 2, 7, len(want), 100} {
			if got := s.pages(s.store, s.visitor, limit); !slices.Equal(got, want) {
				s.Errorf("seed %d, pages of %d:\n%q, want\n%q", seed, limit, got, want)
			}
		}
	}
	onBoth(t, func(s scene) { exact(s, 0, 16) })
	for seed := range uint64(12) {
		onBolt(t, func(s scene) { exact(s, seed, 60) })
	}
}

// TestHistoryOfAContact: the list is exact also while the sessions of a
// contact's visitors are being moved, wherever that has got to.
func TestHistoryOfAContact(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Sweep(s, s.store)
		dice := rand.New(rand.NewPCG(2, 1))
		var callers []parley.Caller
		var visitors []parley.VisitorID
		for n := range 3 {
			c := parleytest.Visitor(s, s.store)
			s.live(dice, c, fmt.Sprintf("v%d.", n), 6, 15)
			callers, visitors = append(callers, c), append(visitors, c.Visitor)
		}
		stranger := parleytest.Visitor(s, s.store)
		s.live(dice, stranger, "s.", 3, 5)
		for range 10 {
			parleytest.Sweep(s, s.store) // up to now
		}
		for i, c := range callers {
			callers[i] = parleytest.Contact(s, s.store, c, "ann")
			parleytest.Turn(s, s.store, callers[i], parley.EntryID(fmt.Sprint("new", i)), "")
			parleytest.Turn(s, s.store, callers[i], parley.EntryID(fmt.Sprint("old", i)), s.naive(c.Visitor)[2])
		}
		exact := func(when string) {
			want := s.naive(visitors...)
			for _, c := range callers {
				for _, limit := range []int{1, 4, 100} {
					if got := s.pages(s.store, c, limit); !slices.Equal(got, want) {
						s.Errorf("%s, pages of %d:\n%q, want\n%q", when, limit, got, want)
					}
				}
			}
		}
		exact("before the move")
		await(2 * time.Minute)
		network := fault.NewNetwork(fault.NetworkConfig{Table: s.table})
		for call := 15; ; call += 5 { // a sweep dies here, another goes on
			p := network.Process(fault.Config{Plan: map[int]fault.Kind{call: fault.CrashBefore}})
			_, err := s.over(p).Sweep(context.Background(), parley.SweepHelp{})
			exact(fmt.Sprintf("after a sweep that died at call %d", call))
			if err == nil {
				break
			}
		}
		for _, k := range s.table.Dump(s) {
			if k.String("sk") == "job/claim" || k.Bool("moving") {
				s.Errorf("%v is left", k)
			}
		}
	})
}

// between is a table that lets something happen between two queries of an index.
type between struct {
	table.Table
	queries *int
	do      func()
}

func (b between) Query(ctx context.Context, q table.Query) (table.Page, error) {
	page, err := b.Table.Query(ctx, q)
	if q.Index == table.Owner {
		if *b.queries++; *b.queries == 1 {
			b.do()
		}
	}
	return page, err
}

// TestHistoryMissesNoMove: a session that is moved while the list is read is in it, once.
func TestHistoryMissesNoMove(t *testing.T) {
	onBolt(t, func(s scene) {
		parleytest.Sweep(s, s.store)
		id := s.turn("opening").ID
		ann := parleytest.Contact(s, s.store, s.visitor, "ann")
		await(61 * time.Second)
		store := s.over(between{s.table, new(int), func() { parleytest.Sweep(s, s.store) }})
		if got := s.pages(store, ann, 5); !slices.Equal(got, []parley.SessionID{id}) {
			s.Errorf("Sessions = %q, want %q", got, id)
		}
	})
}

// TestHistoryCost: a page costs the same however many sessions there are.
func TestHistoryCost(t *testing.T) {
	onBolt(t, func(s scene) {
		cost := func(sessions int) (int, float64) {
			s.visitor = parleytest.Visitor(s, s.store)
			for n := range sessions {
				s.turn(parley.EntryID(fmt.Sprintf("%s%d", s.visitor.Visitor, n)))
				await(time.Minute)
			}
			m := meter.New(meter.Config{Table: s.table})
			store := s.over(m)
			if _, _, err := store.Sessions(context.Background(), s.visitor, parley.PageRequest{Limit: 5}); err != nil {
				s.Fatal(err)
			}
			return m.Counts().Calls, m.Counts().ReadUnits()
		}
		calls, units := cost(50)
		moreCalls, moreUnits := cost(300)
		if moreCalls != calls || moreUnits != units {
			s.Errorf("a page of 300 sessions costs %d calls, %v units, of 50 %d, %v", moreCalls, moreUnits, calls, units)
		}
		s.Logf("a page of 5 sessions costs %d calls, %v read units", calls, units)
	})
}

// TestTranscriptInPages: pages of a transcript join to the whole, without gap
// or repeat, also from replicas that lag and pages with holes.
func TestTranscriptInPages(t *testing.T) {
	onBoth(t, func(s scene) {
		id := s.everyKindOfEntry()
		all := parleytest.Entries(s, s.store, s.visitor, id)
		network := fault.NewNetwork(fault.NetworkConfig{Table: s.table, Behind: 3})
		torn := s.over(network.Process(fault.Config{Seed: 3, Chance: map[fault.Kind]float64{fault.Hole: 0.3, fault.Stale: 0.3}}))
		writer := s.over(network.Process(fault.Config{}))
		parleytest.Turn(s, writer, s.visitor, "one more", id)
		all = append(all, parleytest.Entries(s, s.store, s.visitor, id)[len(all):]...)
		for range 10 {
			for _, limit := range []int{1, 3, len(all) - 1, len(all), 100} {
				got, newest := s.transcript(torn, id, limit)
				if len(all)-len(got) > 2 || !reflect.DeepEqual(got, all[:len(got)]) || newest != parley.Seq(len(got)) {
					s.Fatalf("in pages of %d, the newest %d: %q, want %q", limit, newest, parleytest.Brief(got), parleytest.Brief(all))
				}
			}
		}
	})
}

// transcript joins all pages, and returns the number that the newest one names.
func (s scene) transcript(store *parley.Store, id parley.SessionID, limit int) (all []parley.Entry, newest parley.Seq) {
	s.Helper()
	cursor := ""
	for {
		session, page, next, err := store.Transcript(context.Background(), s.visitor, id, parley.PageRequest{Limit: limit, Cursor: cursor})
		if is(err, parley.ErrUnavailable) {
			continue
		}
		if err != nil || len(page) > limit {
			s.Fatalf("transcript: %d entries, %v", len(page), err)
		}
		if cursor == "" {
			newest = session.Seq
		}
		all = append(slices.Clone(page), all...)
		if cursor = next; next == "" {
			return all, newest
		}
	}
}

// TestPagesAreChecked: limits and cursors from outside.
func TestPagesAreChecked(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("opening").ID
		for limit, code := range map[int]string{-1: "invalid_field", 0: "", 1: "", 100: "", 101: "invalid_field"} {
			_, _, err := s.store.Sessions(ctx, s.visitor, parley.PageRequest{Limit: limit})
			s.want(fmt.Sprintf("sessions, limit %d", limit), err, code)
			_, _, _, err = s.store.Transcript(ctx, s.visitor, id, parley.PageRequest{Limit: limit})
			s.want(fmt.Sprintf("transcript, limit %d", limit), err, code)
		}
		for _, cursor := range []string{"%", "IngiCg", "bm9uZQ", strings.Repeat("A", 5000)} { // no base64, "x", none, zeros
			_, _, err := s.store.Sessions(ctx, s.visitor, parley.PageRequest{Cursor: cursor})
			s.want(fmt.Sprintf("sessions, cursor %.9q", cursor), err, "invalid_cursor")
			_, _, _, err = s.store.Transcript(ctx, s.visitor, id, parley.PageRequest{Cursor: cursor})
			s.want(fmt.Sprintf("transcript, cursor %.9q", cursor), err, "invalid_cursor")
		}
	})
}

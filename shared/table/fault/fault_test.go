package fault_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/table"
	"parley/shared/table/bolt"
	"parley/shared/table/fault"
)

func newBolt(t *testing.T) *bolt.Table {
	t.Helper()
	tbl, err := bolt.New(bolt.Config{Path: filepath.Join(t.TempDir(), "table"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tbl.Close(); err != nil {
			t.Error(err)
		}
	})
	return tbl
}

func newNetwork(t *testing.T, behind int) (*fault.Network, *bolt.Table) {
	t.Helper()
	tbl := newBolt(t)
	return fault.NewNetwork(fault.NetworkConfig{Table: tbl, Behind: behind}), tbl
}

func entry(sk string) table.Item { return table.Item{table.PK: "p", table.SK: sk} }

// standing returns the sort keys in the table, in order.
func standing(t *testing.T, tbl table.Table) string {
	t.Helper()
	page, err := tbl.Query(t.Context(), table.Query{Partition: "p", Limit: 100, Consistent: true})
	if err != nil {
		t.Fatal(err)
	}
	return names(page.Items)
}

func names(items []table.Item) string {
	var sks []string
	for _, item := range items {
		sks = append(sks, item.String(table.SK))
	}
	return strings.Join(sks, " ")
}

func TestWriteFaults(t *testing.T) {
	for _, test := range []struct {
		name string
		kind fault.Kind
		want error
		// What stands after the call, and after the late writes have arrived.
		then, settled string
	}{
		{"none", fault.None, nil, "a", "a"},
		{"throttle", fault.Throttle, table.ErrNotDone, "", ""},
		{"conflict", fault.Conflict, table.ErrNotDone, "", ""},
		{"lost", fault.Lost, table.ErrUnknown, "", ""},
		{"unanswered", fault.Unanswered, table.ErrUnknown, "a", "a"},
		{"late", fault.Late, table.ErrUnknown, "", "a"},
		{"crash before", fault.CrashBefore, fault.ErrCrashed, "", ""},
		{"crash after", fault.CrashAfter, fault.ErrCrashed, "a", "a"},
		{"of a read", fault.Hole, nil, "a", "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, tbl := newNetwork(t, 0)
				p := network.Process(fault.Config{Plan: map[int]fault.Kind{1: test.kind}, Delay: time.Second})
				item := entry("a")
				err := p.Write(t.Context(), table.Put(item, table.Absent()))
				item["changed"] = "after the call"
				if !errors.Is(err, test.want) || err == nil != (test.want == nil) {
					t.Errorf("Write = %v, want %v", err, test.want)
				}
				if got := standing(t, tbl); got != test.then {
					t.Errorf("after the call %q stands, want %q", got, test.then)
				}
				network.Settle()
				if got := standing(t, tbl); got != test.settled {
					t.Errorf("in the end %q stands, want %q", got, test.settled)
				}
				items, err := tbl.Get(t.Context(), true, item.Key())
				if err != nil || test.settled == "a" && !items[0].Equal(entry("a")) {
					t.Errorf("Get = %v, %v, want the item as it was in the call", items, err)
				}
			})
		})
	}
}

func TestLateWriteChecksConditionsWhenItArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, tbl := newNetwork(t, 0)
		p := network.Process(fault.Config{Plan: map[int]fault.Kind{1: fault.Late, 2: fault.CrashBefore}, Delay: time.Second})
		if err := p.Write(t.Context(), table.Put(entry("a"), table.Absent()), table.Put(entry("b"))); !errors.Is(err, table.ErrUnknown) {
			t.Fatalf("Write = %v, want %v", err, table.ErrUnknown)
		}
		if err := tbl.Write(t.Context(), table.Put(entry("a"))); err != nil {
			t.Fatal(err)
		}
		network.Settle()
		if got := standing(t, tbl); got != "a" {
			t.Errorf("%q stands, want a: the late write must have been refused", got)
		}
	})
}

func TestTwice(t *testing.T) {
	network, tbl := newNetwork(t, 0)
	p := network.Process(fault.Config{Chance: map[fault.Kind]float64{fault.Twice: 1}})
	err := p.Write(t.Context(), table.Put(entry("a"), table.Absent()))
	refused, ok := errors.AsType[*table.Refused](err)
	if !ok || !refused.Refusals[0].Item.Equal(entry("a")) {
		t.Errorf("put if absent = %v, want it refused by its own first copy", err)
	}
	count := table.Update(table.Key{PK: "p", SK: "count"})
	count.Add = map[string]int64{"n": 1}
	for _, actions := range [][]table.Action{{count}, {count, table.Put(entry("b"))}} {
		if err := p.Write(t.Context(), actions...); err != nil {
			t.Errorf("Write = %v, want done", err)
		}
	}
	items, err := tbl.Get(t.Context(), true, count.Key)
	if err != nil || items[0].Int("n") != 3 {
		t.Errorf("counter = %v (%v), want 3: two for the lone update, one for the transaction", items, err)
	}
}

func TestCrashEndsOneProcess(t *testing.T) {
	network, _ := newNetwork(t, 0)
	dead := network.Process(fault.Config{Plan: map[int]fault.Kind{2: fault.CrashAfter}})
	alive := network.Process(fault.Config{})
	for n, want := range []error{nil, fault.ErrCrashed, fault.ErrCrashed, fault.ErrCrashed} {
		if err := dead.Write(t.Context(), table.Put(entry(fmt.Sprint(n)))); !errors.Is(err, want) {
			t.Errorf("call %d = %v, want %v", n+1, err, want)
		}
	}
	if _, err := dead.Get(t.Context(), true, entry("0").Key()); !errors.Is(err, fault.ErrCrashed) {
		t.Errorf("Get = %v, want %v", err, fault.ErrCrashed)
	}
	if got := standing(t, alive); got != "0 1" || !dead.Crashed() || alive.Crashed() || dead.Calls() != 5 {
		t.Errorf("%q stands, crashed %t and %t after %d calls, want 0 1, true, false, 5", got, dead.Crashed(), alive.Crashed(), dead.Calls())
	}
}

func TestReadFaults(t *testing.T) {
	network, tbl := newNetwork(t, 0)
	for _, sk := range []string{"a", "b", "c", "d"} {
		if err := tbl.Write(t.Context(), table.Put(entry(sk))); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		kind  fault.Kind
		limit int
		want  error
		pages []string // what a page may be
	}{
		{"none", fault.None, 4, nil, []string{"a b c d"}},
		{"unreadable", fault.Unreadable, 4, table.ErrUnavailable, []string{""}},
		{"hole", fault.Hole, 4, nil, []string{"a c d", "a b d"}},
		{"hole in one item", fault.Hole, 1, nil, []string{"a"}},
		{"crash before", fault.CrashBefore, 4, fault.ErrCrashed, []string{""}},
		{"crash after", fault.CrashAfter, 4, fault.ErrCrashed, []string{""}},
		{"of a write", fault.Conflict, 4, nil, []string{"a b c d"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := map[string]bool{}
			for seed := range uint64(50) {
				p := network.Process(fault.Config{
					Seed:    seed,
					Plan:    map[int]fault.Kind{1: test.kind},
					MayMiss: func(item table.Item) bool { return item.String(table.SK) != "a" },
				})
				page, err := p.Query(t.Context(), table.Query{Partition: "p", Limit: test.limit, Consistent: true})
				if !errors.Is(err, test.want) || err == nil != (test.want == nil) || !slices.Contains(test.pages, names(page.Items)) {
					t.Fatalf("Query = %q, %v, want one of %q, %v", names(page.Items), err, test.pages, test.want)
				}
				seen[names(page.Items)] = true
			}
			if len(seen) != len(test.pages) {
				t.Errorf("saw only %v of %q", seen, test.pages)
			}
		})
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	outcomes := func(seed uint64) string {
		network, _ := newNetwork(t, 0)
		p := network.Process(fault.Config{Seed: seed, Chance: map[fault.Kind]float64{
			fault.Throttle: 0.2, fault.Lost: 0.2, fault.Unanswered: 0.2, fault.Unreadable: 0.2, fault.Hole: 0.4,
		}})
		var log strings.Builder
		for n := range 100 {
			fmt.Fprintln(&log, p.Write(t.Context(), table.Put(entry(fmt.Sprint(n)))))
			page, err := p.Query(t.Context(), table.Query{Partition: "p", Limit: 5})
			fmt.Fprintln(&log, names(page.Items), err)
		}
		return log.String()
	}
	first := outcomes(1)
	if outcomes(1) != first {
		t.Error("the same seed gave other outcomes")
	}
	if outcomes(2) == first {
		t.Error("another seed gave the same outcomes")
	}
	for _, want := range []string{"throttle", "timeout", "unavailable", "<nil>"} {
		if !strings.Contains(first, want) {
			t.Errorf("no call of 200 ended with %q", want)
		}
	}
}

// A state is the answers to all questions of TestStaleReadsShowThePast.
func state(t *testing.T, tbl table.Table) []string {
	t.Helper()
	var answers []string
	for _, q := range []table.Query{
		{Partition: "p", Limit: 100},
		{Partition: "p", From: "2", To: "5", Limit: 100, Descending: true},
		{Partition: "p", Limit: 100, Start: table.Item{table.PK: "p", table.SK: "4"}},
		{Index: table.Owner, Partition: "o", Limit: 100},
	} {
		page, err := tbl.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprint(page.Items))
	}
	items, err := tbl.Get(t.Context(), false, entry("1").Key(), entry("2").Key())
	if err != nil {
		t.Fatal(err)
	}
	return append(answers, fmt.Sprint(items))
}

func TestStaleReadsShowThePast(t *testing.T) {
	const behind = 3
	network, tbl := newNetwork(t, behind)
	writer := network.Process(fault.Config{})
	reader := network.Process(fault.Config{Seed: 7, Chance: map[fault.Kind]float64{fault.Stale: 1}})
	dice := rand.New(rand.NewPCG(1, 1))
	var past [][]string // newest last
	stale := 0
	for n := range 300 {
		past = append(past, state(t, tbl))
		item := entry(fmt.Sprint(dice.IntN(8)))
		item["n"] = int64(n)
		if dice.IntN(2) == 0 {
			item["op"], item["os"] = "o", fmt.Sprint(dice.IntN(3))
		}
		action := table.Put(item)
		if dice.IntN(4) == 0 {
			action = table.Delete(item.Key())
		}
		if err := writer.Write(t.Context(), action); err != nil {
			t.Fatal(err)
		}
		past = past[max(0, len(past)-behind):]
		for k, answer := range state(t, reader) {
			known := func(s []string) bool { return s[k] == answer }
			if !slices.ContainsFunc(past, known) {
				t.Fatalf("after write %d, answer %d is %s, want one of the last %d states", n, k, answer, behind)
			}
			if answer != state(t, tbl)[k] {
				stale++
			}
		}
	}
	if stale < 300 {
		t.Errorf("only %d answers of 1500 were stale", stale)
	}
	page, err := reader.Query(t.Context(), table.Query{Partition: "p", Limit: 100, Consistent: true})
	if err != nil || fmt.Sprint(page.Items) != state(t, tbl)[0] {
		t.Errorf("consistent Query = %v, %v, want the present", page, err)
	}
}

func TestStalePagesKeepTheirLimit(t *testing.T) {
	network, _ := newNetwork(t, 1)
	writer := network.Process(fault.Config{})
	reader := network.Process(fault.Config{Chance: map[fault.Kind]float64{fault.Stale: 1}})
	for _, sk := range []string{"a", "b", "c", "d"} {
		if err := writer.Write(t.Context(), table.Put(entry(sk))); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		write []table.Action
		want  string
	}{
		{"a deleted item is back", []table.Action{table.Delete(entry("b").Key())}, "a b / c d"},
		{"a new item is not there", []table.Action{table.Put(entry("bb"))}, "a / c d"},
		{"both, on different pages", []table.Action{table.Put(entry("aa")), table.Delete(entry("d").Key())}, "a / bb c / d"},
	} {
		if err := writer.Write(t.Context(), test.write...); err != nil {
			t.Fatal(err)
		}
		var pages []string
		for q := (table.Query{Partition: "p", Limit: 2}); ; {
			page, err := reader.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) > 0 {
				pages = append(pages, names(page.Items))
			}
			if q.Start = page.Next; page.Next == nil {
				break
			}
		}
		if got := strings.Join(pages, " / "); got != test.want {
			t.Errorf("%s: pages %q, want %q", test.name, got, test.want)
		}
	}
}

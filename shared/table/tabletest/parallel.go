package tabletest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"parley/shared/table"
)

// parallel runs n workers at once and fails the test with their errors.
func parallel(t *testing.T, n int, work func(ctx context.Context, worker int) error) {
	t.Helper()
	var workers sync.WaitGroup
	for worker := range n {
		workers.Go(func() {
			if err := work(t.Context(), worker); err != nil {
				t.Errorf("worker %d: %v", worker, err)
			}
		})
	}
	workers.Wait()
}

func testOneWinner(t *testing.T, f Fixture) {
	for round := range 5 {
		prize := fmt.Sprint("prize ", round)
		won := make([]bool, 16)
		parallel(t, len(won), func(ctx context.Context, worker int) error {
			actions := []table.Action{table.Put(item(prize, "winner", int64(worker)), table.Absent())}
			if worker%2 == 1 {
				actions = append(actions, table.Put(item(fmt.Sprint("ticket ", round, worker))))
			}
			err := persist(ctx, f.Table, actions...)
			if refused, ok := errors.AsType[*table.Refused](err); ok {
				stands, _ := refused.Of(0)
				if _, hasWinner := stands["winner"]; !hasWinner {
					return fmt.Errorf("refused without the winner: %v", refused.Refusals)
				}
				return nil
			}
			won[worker] = err == nil
			return err
		})
		winner := get(t, f.Table, key(prize)).Int("winner")
		for worker, w := range won {
			if w != (int64(worker) == winner) {
				t.Errorf("round %d: worker %d was told %t, the table holds %d", round, worker, w, winner)
			}
			if ticket := get(t, f.Table, key(fmt.Sprint("ticket ", round, worker))); (ticket != nil) != (w && worker%2 == 1) {
				t.Errorf("round %d: worker %d was told %t, but the rest of its write is %v", round, worker, w, ticket)
			}
		}
	}
}

func testCounters(t *testing.T, f Fixture) {
	const workers, rounds = 12, 10
	parallel(t, workers, func(ctx context.Context, worker int) error {
		for round := range rounds {
			actions := []table.Action{table.Add(key("count"), map[string]int64{"n": 1, "sum": int64(worker)})}
			if worker%2 == 1 {
				actions = append(actions, table.Put(item(fmt.Sprint("receipt ", worker, round))))
			}
			if err := persist(ctx, f.Table, actions...); err != nil {
				return err
			}
		}
		return nil
	})
	want := item("count", "n", int64(workers*rounds), "sum", int64(rounds*workers*(workers-1)/2))
	expect(t, f.Table, key("count"), want)
}

// testRevisions changes one item in loops of read and conditional write, with
// what a refusal returns in place of another read.
func testRevisions(t *testing.T, f Fixture) {
	const workers, rounds = 8, 8
	must(t, f.Table, table.Put(item("doc", "rev", int64(0), "text", "")))
	parallel(t, workers, func(ctx context.Context, worker int) error {
		for range rounds {
			items, err := f.Table.Get(ctx, true, key("doc"))
			if err != nil {
				return err
			}
			if err := amend(ctx, f.Table, items[0], string(rune('a'+worker))); err != nil {
				return err
			}
		}
		return nil
	})
	doc := get(t, f.Table, key("doc"))
	counts := map[rune]int{}
	for _, letter := range doc.String("text") {
		counts[letter]++
	}
	for worker := range workers {
		if got := counts[rune('a'+worker)]; got != rounds {
			t.Errorf("%d of %d changes by worker %d are there", got, rounds, worker)
		}
	}
	if got := doc.Int("rev"); got != workers*rounds {
		t.Errorf("revision %d, want %d", got, workers*rounds)
	}
}

func amend(ctx context.Context, tbl table.Table, doc table.Item, letter string) error {
	for {
		change := table.Set(key("doc"), table.Item{"text": doc.String("text") + letter}, table.Equal("rev", doc.Int("rev")))
		change.Add = map[string]int64{"rev": 1}
		err := persist(ctx, tbl, change)
		refused, ok := errors.AsType[*table.Refused](err)
		if !ok {
			return err
		}
		doc, _ = refused.Of(0)
	}
}

// testTransfers moves amounts between accounts; readers never see a sum of
// what stands in the end that differs.
func testTransfers(t *testing.T, f Fixture) {
	const accounts, workers, rounds = 4, 8, 10
	for n := range accounts {
		must(t, f.Table, table.Put(item(fmt.Sprint("account ", n), "n", int64(100))))
	}
	parallel(t, workers, func(ctx context.Context, worker int) error {
		for round := range rounds {
			from, to := (worker+round)%accounts, (worker+round+1+round%(accounts-1))%accounts
			take := table.Add(key(fmt.Sprint("account ", from)), map[string]int64{"n": -int64(round)}, table.Exists())
			give := table.Add(key(fmt.Sprint("account ", to)), map[string]int64{"n": int64(round)}, table.Exists())
			if err := persist(ctx, f.Table, take, give); err != nil {
				return err
			}
		}
		return nil
	})
	sum := int64(0)
	for n := range accounts {
		sum += get(t, f.Table, key(fmt.Sprint("account ", n))).Int("n")
	}
	if sum != 100*accounts {
		t.Errorf("accounts hold %d together, want %d", sum, 100*accounts)
	}
}

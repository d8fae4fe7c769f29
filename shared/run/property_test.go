package run_test

import (
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// seeds returns how many simulations to run: what the environment says, or few.
func seeds(t *testing.T, few int, variable string) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return few
}

// firstSeed is where the simulations begin: PARLEY_SEED repeats one.
func firstSeed() int {
	n, _ := strconv.Atoi(os.Getenv("PARLEY_SEED"))
	return n
}

var someFaults = map[fault.Kind]float64{
	fault.Conflict: 0.05, fault.Throttle: 0.03, fault.Lost: 0.03, fault.Unanswered: 0.05, fault.Late: 0.03, fault.Twice: 0.03,
	fault.Unreadable: 0.02, fault.Hole: 0.08, fault.Stale: 0.25, fault.CrashBefore: 0.003, fault.CrashAfter: 0.003,
}

// busySettings lets the simulated visitor send as often as it likes.
func busySettings() parley.Project {
	p := parleytest.Settings()
	p.Budgets.MessagesPerMinute, p.Budgets.VisitorTokens = 6000, 1e9
	return p
}

// TestAnyInterleaving runs simulations with faults and crashes everywhere.
func TestAnyInterleaving(t *testing.T) {
	t.Parallel()
	const perTable = 25
	last := firstSeed() + seeds(t, 200, "PARLEY_SEEDS")
	for first := firstSeed(); first < last; first += perTable {
		synctest.Test(t, func(t *testing.T) {
			simulate(t, parleytest.Table(t), first, min(first+perTable, last))
		})
	}
}

// simulate runs the simulations of some seeds on one table.
func simulate(t *testing.T, tbl table.Table, first, last int) {
	parleytest.Put(t, parleytest.Store(t, parley.Config{Table: tbl}), busySettings())
	for seed := first; seed < last; seed++ {
		w := newWorld(t, uint64(seed), tbl, someFaults)
		w.run()
		w.check()
		if t.Failed() {
			t.FailNow()
		}
	}
}

package run_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// TestTakeoversUnderLoad has operators take a session over and hand it back
// while replies are written and others wait, over a table that fails and with
// processes that die: after a takeover commits no text of an agent is added,
// every run ends, and nothing is lost (invariant 8).
func TestTakeoversUnderLoad(t *testing.T) {
	t.Parallel()
	const perTable = 25
	last := firstSeed() + seeds(t, 200, "PARLEY_TAKEOVER_SEEDS")
	var all contest
	for first := firstSeed(); first < last; first += perTable {
		synctest.Test(t, func(t *testing.T) {
			all.add(contested(t, parleytest.Table(t), first, min(first+perTable, last)))
		})
	}
	all.judge(t, last-firstSeed())
}

func TestTakeoversUnderLoadOnDynamoDB(t *testing.T) {
	t.Parallel()
	first, n := firstSeed(), seeds(t, 5, "PARLEY_DYNAMODB_TAKEOVER_SEEDS")
	var all contest
	parleytest.OnDynamoDB(t, func(t *testing.T, tbl *parleytest.Listed) {
		all.add(contested(t, tbl, first, first+n))
	})
	all.judge(t, n)
}

// contest counts what came of simulations.
type contest struct {
	// Takeovers committed; Ended are runs that they ended, some of which had Text.
	Takeovers, Ended, Text int
	// Late are entries by an agent while a human had the session.
	Late int
}

func (c *contest) add(o contest) {
	c.Takeovers, c.Ended, c.Text, c.Late = c.Takeovers+o.Takeovers, c.Ended+o.Ended, c.Text+o.Text, c.Late+o.Late
}

// judge also fails simulations in which nothing was contested.
func (c contest) judge(t *testing.T, simulations int) {
	t.Helper()
	t.Logf("%d simulations: %d takeovers ended %d runs, %d of them with text; AI entries after a takeover's commit: %d",
		simulations, c.Takeovers, c.Ended, c.Text, c.Late)
	if c.Late > 0 {
		t.Errorf("%d entries by an agent came after a takeover", c.Late)
	}
	if simulations >= 5 && (c.Takeovers < simulations || c.Ended < simulations/2 || c.Text == 0) {
		t.Errorf("too little was contested: %+v", c)
	}
}

// contested runs the simulations of some seeds on one table.
func contested(t *testing.T, tbl table.Table, first, last int) (all contest) {
	parleytest.Put(t, parleytest.Store(t, parley.Config{Table: tbl}), busySettings())
	for seed := first; seed < last; seed++ {
		w := newWorld(t, uint64(seed), tbl, someFaults)
		w.contest()
		w.check()
		all.add(w.contestOf(context.Background()))
		if t.Failed() {
			t.FailNow()
		}
	}
	return all
}

// contest is run with more to be ended at once, and operators who will not let go.
func (w *world) contest() {
	for range 3 {
		w.procs = append(w.procs, w.start(nil))
	}
	first := fmt.Sprintf("%dm", w.seed)
	w.send(parley.SendRequest{ID: parley.EntryID(first), Channel: parley.ChannelNative, Content: first, Claim: !w.one(3)})
	for tab := range 3 {
		w.goes(func() { w.tab(tab, []parley.Busy{parley.BusyQueue, parley.BusyQueue, parley.BusyRefuse}) })
	}
	for n := range 2 {
		w.goes(func() { w.contender(n) })
	}
	w.settle()
}

// contender is one operator of those who take the session over and hand it back.
func (w *world) contender(n int) {
	op := parleytest.Operator()
	op.Operator = parley.OperatorID(fmt.Sprintf("op%d", n))
	by := parley.Author{Kind: parley.AuthorHuman, ID: string(op.Operator), Name: "Ola"}
	for range 2 + w.n(3) {
		w.pause(4 * time.Second)
		w.try("take over", func(p *process) error { return p.store.TakeOver(context.Background(), op, w.where(), by) })
		w.pause(3 * time.Second)
		w.try("hand back", func(p *process) error { return p.store.HandBack(context.Background(), op, w.where(), by) })
	}
}

// contestOf counts over the session's order, which is that of the commits.
func (w *world) contestOf(ctx context.Context) (c contest) {
	human := false
	for _, e := range w.entries(ctx) {
		switch {
		case e.Event == parley.EventTakenOver:
			c.Takeovers, human = c.Takeovers+1, true
		case e.Event == parley.EventHandedOver:
			human = true
		case e.Event == parley.EventHandedBack:
			human = false
		case e.Run != "" && e.Status == parley.StatusTakenOver:
			c.Ended++
			if e.Text != "" {
				c.Text++
			}
		}
		if human && e.Author.Kind == parley.AuthorAI {
			c.Late++
		}
	}
	return c
}

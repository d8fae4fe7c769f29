package bench

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"time"

	"parley/functions/history"
	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/bolt"
	"parley/shared/table/meter"
	"parley/shared/token"
)

// apart is the time between two sessions of the visitor whose history is read:
// more than a list's entry may lag behind the activity.
const apart = 20 * time.Minute

// measureHistory reads the newest page of a visitor with few and with many
// sessions. A test makes fewer of them than a report.
func measureHistory(t *tier) {
	few, many := 10, 1000
	if *report {
		many = 100_000
	}
	a := newArchive(t)
	a.grow(few)
	before := a.read()
	a.grow(many - few)
	after := a.read()
	t.hold(fmt.Sprintf("read units of a history page, %d sessions; %d", few, many),
		fmt.Sprintf("%g; %g", before, after), "equal", before == after)
}

// archive is one visitor's sessions, over years that take no time.
type archive struct {
	*tier
	passed  atomic.Int64 // ns; the table reads the clock at any time
	meter   *meter.Table
	store   *parley.Store
	keys    *token.Keyring
	handler http.Handler
	caller  parley.Caller
	count   int
}

func newArchive(t *tier) *archive {
	a, began := &archive{tier: t}, time.Now()
	clock := func() time.Time { return began.Add(time.Duration(a.passed.Load())) }
	tbl, err := bolt.New(bolt.Config{Path: filepath.Join(t.TempDir(), "table.db"), Now: clock, NoSync: true})
	fatal(t, err)
	t.Cleanup(func() { tbl.Close() })
	a.meter = meter.New(meter.Config{Table: tbl})
	a.keys, err = token.New(token.Config{Masters: [][]byte{bytes.Repeat([]byte("k"), token.MinMasterBytes)}, Now: clock})
	fatal(t, err)
	a.store = parleytest.Store(t, parley.Config{Table: tbl, Derive: a.keys.Derive, Now: clock})
	project := parleytest.Settings()
	project.Budgets = parley.Budgets{VisitorTokens: parley.MaxBudget}
	parleytest.Put(t, a.store, project)
	a.caller = parleytest.Visitor(t, a.store)
	metered := parleytest.Store(t, parley.Config{Table: a.meter, Derive: a.keys.Derive, Now: clock})
	calls, err := api.New(api.Config{Store: metered, Keys: a.keys, Log: slog.New(slog.DiscardHandler)})
	fatal(t, err)
	a.handler = history.New(calls)
	return a
}

// grow has the visitor begin n more sessions.
func (a *archive) grow(n int) {
	for range n {
		a.count++
		a.passed.Add(int64(apart))
		_, err := a.store.Send(a.Context(), a.caller, parley.SendRequest{ID: parley.EntryID(fmt.Sprint("m", a.count)),
			Channel: parley.ChannelNative, Content: text(questionBytes)})
		fatal(a, err)
	}
}

// read returns the read units of the newest page, the second time it is asked for.
func (a *archive) read() float64 {
	bearer, _, err := a.keys.Visitor(&parley.Project{ID: a.caller.Project},
		parley.Visitor{ID: a.caller.Visitor, Generation: a.caller.Generation}, 0)
	fatal(a, err)
	for range 2 {
		a.meter.Reset()
		r := httptest.NewRequest("GET", "/history?limit=5", nil)
		r.Header.Set(api.KeyHeader, parleytest.Settings().PublicKeys[0])
		r.Header.Set("Authorization", "Bearer "+bearer)
		out := httptest.NewRecorder()
		a.handler.ServeHTTP(out, r)
		if out.Code != http.StatusOK {
			a.Fatalf("GET /history = %d %s", out.Code, out.Body)
		}
	}
	return a.meter.Counts().ReadUnits()
}

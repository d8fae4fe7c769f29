package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// sessionLabel is of a session's hot item, which a turn replaces twice.
const sessionLabel = "session"

// label names the kind of item that an action writes; see shared/parley/keys.go.
func label(a table.Action) string {
	_, path, _ := strings.Cut(a.Key.PK, "/")
	noun, _, _ := strings.Cut(path, "/")
	var data struct {
		Kind   string
		Author struct{ Kind string }
	}
	_ = json.Unmarshal([]byte(a.Item.String("data")), &data) // an update has none
	switch {
	case noun == "session" && a.Key.SK == "entry~":
		return sessionLabel
	case noun == "session" && strings.HasPrefix(a.Key.SK, "entry/"):
		return "message of the " + data.Author.Kind
	case noun == "run" && a.Key.SK == "000000":
		return "log: client id, claim and due entry"
	case noun == "run":
		return "log: " + data.Kind
	case noun == "visitor" && a.Set["paced"] != nil:
		return "visitor's rate and budget"
	case noun == "visitor":
		return "visitor's budget, settled"
	case noun == "count":
		return "budgets of address and project"
	}
	return noun
}

// measureWaves counts how often a message waits for the table before the model is asked.
func measureWaves(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		w := newWorld(inner, parleytest.Settings())
		v := w.visitor()
		first := w.turn(v, "")
		rest()
		later := w.turn(v, first.session)
		time.Sleep(24 * time.Hour)
		nextDay := w.turn(v, "")
		t.atMost("waves of table calls before the model is asked: first message", "%.0f", float64(first.waves), 1)
		t.atMost("waves of table calls before the model is asked: later message", "%.0f", float64(later.waves), 2)
		t.note("… first message of a session, by a visitor of an earlier day", fmt.Sprint(nextDay.waves))
	})
}

// Lengths of the sessions that are measured, in turns, and how long an old one rests.
const (
	usualTurns = 8
	manyTurns  = 200
	old        = 20 * 24 * time.Hour
)

// quickPieces are those of a reply by a quick model: 100 a second.
const quickPieces = 600

// measureTurn counts what standard turns consume.
func measureTurn(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		w := newWorld(inner, generous())
		v := w.visitor()
		turns := w.session(v, manyTurns)
		first, later, last := turns[0], turns[1], turns[manyTurns-1]
		time.Sleep(old)
		back := w.turn(v, first.session)
		rest()
		again := w.turn(v, first.session)
		withPage := w.message("")
		withPage.about("https://shop.example/checkout", "Checkout")
		paged := w.send(w.visitor(), withPage)
		whole := sum(w.session(w.visitor(), usualTurns))
		w.turn(v, first.session) // after the pause this one moves the session in lists
		rest()
		w.pieces = quickPieces
		quick := w.turn(v, first.session)

		t.atMost("write units of a session's first turn", "%.0f", float64(first.WriteUnits()), 40)
		t.atMost("write units of a later turn", "%.0f", float64(later.WriteUnits()), 36)
		t.itemise(first, later)
		t.atMost(fmt.Sprintf("write units of a later turn, its reply in %d pieces instead of %d", quickPieces, replyPieces), "%.0f", float64(quick.WriteUnits()), 36)
		t.hold(fmt.Sprintf("write units of turn 2; turn %d; one in a session of %d days ago", manyTurns, old/(24*time.Hour)),
			fmt.Sprintf("%d; %d; %d", later.WriteUnits(), last.WriteUnits(), again.WriteUnits()),
			"equal", later.WriteUnits() == last.WriteUnits() && later.WriteUnits() == again.WriteUnits())
		t.note("… first turn that tells the page's address and title", units(paged))
		t.note("… later turn that moves the session in lists, one in 15 minutes at most", units(turns[firstMove(turns)]))
		t.note(fmt.Sprintf("… first turn after %d days", old/(24*time.Hour)), units(back))
		t.note(fmt.Sprintf("read units of turn 1; turn 2; turn %d", manyTurns),
			fmt.Sprintf("%g; %g; %g", first.ReadUnits(), later.ReadUnits(), last.ReadUnits()))
		t.note(fmt.Sprintf("a session of %d turns", usualTurns), units(whole))
	})
}

// firstMove is the first of some turns that moved the session in lists.
func firstMove(turns []turn) int {
	return 1 + slices.IndexFunc(turns[1:], func(t turn) bool { return t.Writes[sessionLabel].Index > 0 })
}

// generous is a project whose visitors may say in a day what is measured in one.
func generous() parley.Project {
	p := parleytest.Settings()
	p.Budgets.VisitorTokens = 1 << 30
	return p
}

// session is a new session of so many turns, a rest apart.
func (w *world) session(v visitor, turns int) []turn {
	all := []turn{w.turn(v, "")}
	for len(all) < turns {
		rest()
		all = append(all, w.turn(v, all[0].session))
	}
	return all
}

// sum is what all the turns took together.
func sum(turns []turn) turn {
	total := turn{Counts: meter.Counts{Writes: map[string]meter.Units{}, Reads: map[string]float64{}}}
	for _, one := range turns {
		for kind, u := range one.Writes {
			t := total.Writes[kind]
			total.Writes[kind] = meter.Units{Actions: t.Actions + u.Actions, Table: t.Table + u.Table, Index: t.Index + u.Index}
		}
		for kind, u := range one.Reads {
			total.Reads[kind] += u
		}
		total.took += one.took
		total.bytes += one.bytes
	}
	return total
}

func units(of turn) string {
	return fmt.Sprintf("%d write, %g read units", of.WriteUnits(), of.ReadUnits())
}

// itemise adds what two turns wrote, by kind of item.
func (t *tier) itemise(first, later turn) {
	kinds := maps.Clone(first.Writes)
	maps.Copy(kinds, later.Writes)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.note("… "+kind, fmt.Sprintf("%d; %d", first.Writes[kind].Total(), later.Writes[kind].Total()))
	}
}

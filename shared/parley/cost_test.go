package parley_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/meter"
)

// The standard turn: a question of 200 bytes, a reply of 1,200 that comes evenly over 6 s.
const (
	standardQuestion = 200
	standardReply    = 1200
	standardTime     = 6 * time.Second
)

// roundTrip is how long a call to the table takes here, so that calls of one
// wave overlap.
const roundTrip = 5 * time.Millisecond

// distant is a table at the other end of a network.
type distant struct{ table.Table }

func (d distant) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	time.Sleep(roundTrip)
	return d.Table.Get(ctx, consistent, keys...)
}

func (d distant) Query(ctx context.Context, q table.Query) (table.Page, error) {
	time.Sleep(roundTrip)
	return d.Table.Query(ctx, q)
}

func (d distant) Write(ctx context.Context, actions ...table.Action) error {
	time.Sleep(roundTrip)
	return d.Table.Write(ctx, actions...)
}

// words returns text of so many bytes.
func words(n int) string {
	return strings.Repeat("the quick brown fox jumps over the lazy dog and goes on ", n/50+1)[:n]
}

// itemOf names what an action writes.
func itemOf(a table.Action) string {
	segments := strings.Split(a.Key.PK, "/")
	var data struct {
		Kind   string
		Author struct{ Kind string }
	}
	if a.Item != nil {
		if err := json.Unmarshal([]byte(a.Item.String("data")), &data); err != nil {
			return "unreadable"
		}
	}
	sk, _, _ := strings.Cut(a.Key.SK, "/")
	return strings.Join(strings.Fields(strings.Join([]string{segments[1], strings.Trim(sk, "-0123456789"), data.Kind, data.Author.Kind}, " ")), " ")
}

// metered is a scene with an engine whose calls to the table are counted.
type metered struct {
	scene
	meter  *meter.Table
	engine *run.Engine
	waves  int // before the model was last asked
	sent   int
}

func newMetered(s scene) *metered {
	m := &metered{scene: s, meter: meter.New(meter.Config{Table: distant{s.table}, Label: itemOf})}
	m.store = parleytest.Store(s, parley.Config{Table: m.meter, ProjectLife: 1000 * time.Hour})
	script := agenttest.New(func(agent.Conversation) []agenttest.Step {
		m.waves = m.meter.Counts().Waves
		return append(agenttest.Evenly(words(standardReply), 60, standardTime),
			agenttest.Step{Result: &agent.Result{Usage: agent.Usage{Input: 700, Output: 300}}})
	})
	var err error
	m.engine, err = run.New(run.Config{Store: m.store, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return script, nil }})
	if err != nil {
		s.Fatal(err)
	}
	m.visitor.Address = "203.0.113.7"
	m.ask("") // the project and a part of its budget are at hand
	return m
}

// ask has a standard turn and returns its session; the meter shows what it took.
func (m *metered) ask(session parley.SessionID) parley.SessionID {
	m.Helper()
	m.meter.Reset()
	m.sent++
	ctx := context.Background()
	r := parleytest.Say(parley.EntryID(fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", m.sent)), session, words(standardQuestion))
	sent, claim, err := m.engine.Send(ctx, m.visitor, r)
	if err != nil {
		m.Fatal(err)
	}
	if err := m.engine.Stream(ctx, sent.Ref, 0, claim, func(run.Event) error { return nil }); err != nil {
		m.Fatal(err)
	}
	return sent.Session.ID
}

// bill writes what the last turn took.
func (m *metered) bill(title string) string {
	c := m.meter.Counts()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d write units, %.4g read units, %d calls, %d waves before the model\n", title, c.WriteUnits(), c.ReadUnits(), c.Calls, m.waves)
	for _, item := range slices.Sorted(maps.Keys(c.Writes)) {
		u := c.Writes[item]
		fmt.Fprintf(&b, "  %-18s %2d writes %3d + %d\n", item, u.Actions, u.Table, u.Index)
	}
	return b.String()
}

// TestCostOfATurn pins what a standard turn writes: it is the same however old
// and long the session is.
func TestCostOfATurn(t *testing.T) {
	onBolt(t, func(s scene) {
		m := newMetered(s)
		id := m.ask("")
		bills := m.bill("the first turn")
		m.atMost("the first turn", 40, 1)
		await(time.Second)
		m.ask(id)
		second := m.bill("a later turn")
		m.atMost("a later turn", 36, 2)
		bills += second
		for range 198 {
			await(time.Second)
			m.ask(id)
		}
		if got := m.bill("a later turn"); writes(got) != writes(second) {
			s.Errorf("turn 200 costs\n%s, turn 2\n%s", got, second)
		}
		m.atMost("turn 200", 36, 2)
		await(30 * 24 * time.Hour)
		m.ask(id) // which moves the session in the lists
		bills += m.bill("a turn after a month")
		await(time.Second)
		m.ask(id)
		if got := m.bill("a later turn"); writes(got) != writes(second) {
			s.Errorf("a turn of a session of a month ago costs\n%s, turn 2\n%s", got, second)
		}
		s.golden("testdata/cost.golden", bills)
	})
}

// writes cuts a bill down to what was written.
func writes(bill string) string {
	_, items, _ := strings.Cut(bill, "\n")
	return items
}

// atMost fails the test if the last turn took more.
func (m *metered) atMost(what string, units, waves int) {
	m.Helper()
	if got := m.meter.Counts().WriteUnits(); got > units {
		m.Errorf("%s costs %d write units, more than %d:\n%s", what, got, units, m.bill(what))
	}
	if m.waves != waves {
		m.Errorf("%s makes %d waves of calls before the model is asked, want %d", what, m.waves, waves)
	}
}

// golden compares text with a file.
func (s scene) golden(file, got string) {
	s.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	if got != string(want) {
		s.Errorf("%s is not what it was:\n%s, want\n%s", file, got, want)
	}
}

// headSize returns the size of a session's item, in bytes.
func (s scene) headSize(id parley.SessionID) int {
	s.Helper()
	return s.table.Dump(s)[table.Key{PK: "demo/session/" + string(id), SK: "entry~"}].Size()
}

// TestHotItemIsSmall: what every turn replaces stays under 1 KB, and with the
// longest queue of a widget's ids under 2 KB.
func TestHotItemIsSmall(t *testing.T) {
	uuid := func(n int) parley.EntryID {
		return parley.EntryID(fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n))
	}
	onBolt(t, func(s scene) {
		p := generous()
		p.Agents = []parley.AgentSettings{{ID: "support-agent-germany", Name: "Guide"}}
		parleytest.Put(s, s.store, p)
		s.visitor = parleytest.Contact(s, s.store, s.visitor, "ann")
		r := parleytest.Say(uuid(0), "", words(16<<10))
		r.Language = "de-DE"
		id := s.send(r).Session.ID
		s.rate(id, 5, "")
		var sizes []int
		for n := range parley.MaxQueue + 1 {
			sizes = append(sizes, s.headSize(id))
			if n < parley.MaxQueue {
				s.send(parleytest.Say(uuid(n+1), id, words(16<<10)))
			}
		}
		s.Logf("a session's item with a run and a queue of 0 to 10: %d bytes", sizes)
		if sizes[0] > 1<<10 || sizes[parley.MaxQueue] > 2<<10 {
			s.Errorf("a session's item has %d bytes, with the longest queue %d", sizes[0], sizes[parley.MaxQueue])
		}
	})
	// What a preview shows may need more bytes as JSON than as text.
	for name, text := range map[string]string{"markup": `<a href="https://example.com/?a=1&b=2">`, "quotes": `"\"`, "emoji": "👩‍💻", "lines": "\n\t"} {
		onBolt(t, func(s scene) {
			id := s.send(parleytest.Say(uuid(0), "", strings.Repeat(text, 200))).Session.ID
			if size := s.headSize(id); size > 1<<10 {
				s.Errorf("with a message of %s a session's item has %d bytes", name, size)
			}
		})
	}
}

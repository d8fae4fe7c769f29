package meter_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"parley/shared/table"
	"parley/shared/table/bolt"
	"parley/shared/table/fault"
	"parley/shared/table/meter"
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

// sized returns an item of so many bytes by DynamoDB's rule.
func sized(sk string, bytes int) table.Item {
	item := table.Item{table.PK: "p", table.SK: sk, "text": ""}
	item["text"] = strings.Repeat("x", bytes-item.Size())
	return item
}

func with(item table.Item, attrs ...string) table.Item {
	item = item.Clone()
	for n := 0; n < len(attrs); n += 2 {
		item[attrs[n]] = attrs[n+1]
	}
	return item
}

func update(key table.Key, set table.Item, remove ...string) table.Action {
	a := table.Update(key)
	a.Set, a.Remove = set, remove
	return a
}

func TestWriteUnits(t *testing.T) {
	a, b := table.Key{PK: "p", SK: "a"}, table.Key{PK: "p", SK: "b"}
	listed := with(sized("a", 100), "op", "o", "os", "1")
	for _, test := range []struct {
		name    string
		before  []table.Item
		actions []table.Action
		table   int
		index   int
	}{
		{"put of 1 KB", nil, []table.Action{table.Put(sized("a", 1024))}, 1, 0},
		{"put of a byte more", nil, []table.Action{table.Put(sized("a", 1025))}, 2, 0},
		{"put over a larger item", []table.Item{sized("a", 3000)}, []table.Action{table.Put(sized("a", 100))}, 3, 0},
		{"update of a large item", []table.Item{sized("a", 3000)}, []table.Action{update(a, table.Item{"x": "y"})}, 3, 0},
		{"delete of a large item", []table.Item{sized("a", 3000)}, []table.Action{table.Delete(a)}, 3, 0},
		{"delete of nothing", nil, []table.Action{table.Delete(a)}, 1, 0},
		{"two puts", nil, []table.Action{table.Put(sized("a", 100)), table.Put(sized("b", 1500))}, 6, 0},
		{"put and check", []table.Item{sized("b", 1500)}, []table.Action{table.Put(sized("a", 100)), table.Check(b, table.Exists())}, 6, 0},
		{"check of nothing beside a put", nil, []table.Action{table.Put(sized("a", 100)), table.Check(b, table.Absent())}, 4, 0},
		{"check alone", []table.Item{sized("a", 1500)}, []table.Action{table.Check(a, table.Exists())}, 4, 0},
		{"refused put", []table.Item{sized("a", 3000)}, []table.Action{table.Put(sized("a", 100), table.Absent())}, 3, 0},
		{"new entry", nil, []table.Action{table.Put(listed)}, 1, 1},
		{"new entry in both", nil, []table.Action{table.Put(with(listed, "wp", "w", "ws", "1"))}, 1, 2},
		{"half a key is no entry", nil, []table.Action{table.Put(with(sized("a", 100), "op", "o"))}, 1, 0},
		{"entry stays", []table.Item{listed}, []table.Action{update(a, table.Item{"x": "y"})}, 1, 0},
		{"entry moves", []table.Item{listed}, []table.Action{update(a, table.Item{"os": "2"})}, 1, 2},
		{"entry goes", []table.Item{listed}, []table.Action{update(a, nil, "os")}, 1, 1},
		{"item with entry goes", []table.Item{listed}, []table.Action{table.Delete(a)}, 1, 1},
		{"entry moves in a transaction", []table.Item{listed}, []table.Action{update(a, table.Item{"os": "2"}), table.Put(sized("b", 100))}, 4, 2},
		{"long entry", nil, []table.Action{table.Put(with(sized("a", 100), "op", strings.Repeat("o", 1500), "os", "1"))}, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			tbl := newBolt(t)
			for _, item := range test.before {
				if err := tbl.Write(t.Context(), table.Put(item)); err != nil {
					t.Fatal(err)
				}
			}
			m := meter.New(meter.Config{Table: tbl})
			if err := m.Write(t.Context(), test.actions...); err != nil && !strings.Contains(test.name, "refused") {
				t.Fatal(err)
			}
			got, want := m.Counts().Writes[""], meter.Units{Actions: len(test.actions), Table: test.table, Index: test.index}
			if got != want {
				t.Errorf("Write used %+v, want %+v", got, want)
			}
		})
	}
}

func TestReadUnits(t *testing.T) {
	ctx := t.Context()
	tbl := newBolt(t)
	for _, item := range []table.Item{sized("a", 3000), with(sized("b", 3000), "op", "o", "os", "1"), sized("c", 5000)} {
		if err := tbl.Write(ctx, table.Put(item)); err != nil {
			t.Fatal(err)
		}
	}
	key := func(sk string) table.Key { return table.Key{PK: "p", SK: sk} }
	query := func(q table.Query) func(*meter.Table) error {
		q.Limit = 10
		return func(m *meter.Table) error { _, err := m.Query(ctx, q); return err }
	}
	get := func(consistent bool, keys ...table.Key) func(*meter.Table) error {
		return func(m *meter.Table) error { _, err := m.Get(ctx, consistent, keys...); return err }
	}
	for _, test := range []struct {
		name  string
		read  func(*meter.Table) error
		label string
		want  float64
	}{
		{"item", get(false, key("a")), "get", 0.5},
		{"item, consistent", get(true, key("a")), "get", 1},
		{"over 4 KB", get(true, key("c")), "get", 2},
		{"each item apart", get(true, key("a"), key("b")), "get", 2},
		{"nothing there", get(false, key("z")), "get", 0.5},
		{"page together", query(table.Query{Partition: "p", To: "b", Consistent: true}), "query", 2},
		{"page, eventual", query(table.Query{Partition: "p"}), "query", 1.5},
		{"empty page", query(table.Query{Partition: "z", Consistent: true}), "query", 1},
		{"index", query(table.Query{Index: table.Owner, Partition: "o"}), "query owner", 0.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := meter.New(meter.Config{Table: tbl})
			if err := test.read(m); err != nil {
				t.Fatal(err)
			}
			if c := m.Counts(); c.Reads[test.label] != test.want || c.ReadUnits() != test.want || c.WriteUnits() != 0 {
				t.Errorf("read used %v, want %v of %s", c.Reads, test.want, test.label)
			}
		})
	}
}

func TestCountsByLabelAndReset(t *testing.T) {
	ctx := t.Context()
	m := meter.New(meter.Config{Table: newBolt(t), Label: func(a table.Action) string { return a.Key.SK[:1] }})
	if err := m.Write(ctx, table.Put(sized("a1", 100)), table.Put(sized("a2", 100)), table.Put(sized("b", 100))); err != nil {
		t.Fatal(err)
	}
	err := m.Write(ctx, table.Put(sized("b", 100), table.Absent()))
	if _, refused := errors.AsType[*table.Refused](err); !refused {
		t.Fatalf("Write = %v, want a refusal", err)
	}
	if _, err := m.Get(ctx, true, table.Key{PK: "p", SK: "a1"}); err != nil {
		t.Fatal(err)
	}
	c := m.Counts()
	if c.Writes["a"] != (meter.Units{Actions: 2, Table: 4}) || c.Writes["b"] != (meter.Units{Actions: 2, Table: 3}) {
		t.Errorf("Writes = %+v, want 4 units of 2 a and 3 of 2 b", c.Writes)
	}
	if c.Calls != 3 || c.Waves != 3 || c.WriteUnits() != 7 || c.ReadUnits() != 1 {
		t.Errorf("Counts = %+v, want 3 calls, 3 waves, 7 write units, 1 read unit", c)
	}
	m.Reset()
	if c := m.Counts(); c.Calls != 0 || c.Waves != 0 || len(c.Writes) != 0 || len(c.Reads) != 0 {
		t.Errorf("Counts after Reset = %+v, want nothing", c)
	}
}

func TestFailedWrites(t *testing.T) {
	key := table.Key{PK: "p", SK: "a"}
	for _, test := range []struct {
		name   string
		fault  fault.Kind
		action table.Action
		want   int
	}{
		{"not done", fault.Throttle, table.Put(sized("a", 100)), 0},
		{"unknown", fault.Lost, table.Put(sized("a", 100)), 1},
		{"against the rules", fault.None, table.Check(key), 0},
		{"does not fit the item", fault.None, table.Action{Kind: table.UpdateAction, Key: key, Add: map[string]int64{"text": 1}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			tbl := newBolt(t)
			if err := tbl.Write(t.Context(), table.Put(sized("a", 100))); err != nil {
				t.Fatal(err)
			}
			network := fault.NewNetwork(fault.NetworkConfig{Table: tbl})
			// The meter's own read is the first call.
			m := meter.New(meter.Config{Table: network.Process(fault.Config{Plan: map[int]fault.Kind{2: test.fault}})})
			if err := m.Write(t.Context(), test.action); err == nil {
				t.Error("Write = nil, want an error")
			}
			if c := m.Counts(); c.WriteUnits() != test.want || c.Calls != 1 {
				t.Errorf("Write used %d units in %d calls, want %d in 1", c.WriteUnits(), c.Calls, test.want)
			}
		})
	}
}

// A gated read waits until its channel is closed.
type gated struct {
	table.Table
	gates map[string]chan struct{}
}

func (g gated) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	<-g.gates[keys[0].SK]
	return g.Table.Get(ctx, consistent, keys...)
}

func TestWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := map[string]chan struct{}{}
		m := meter.New(meter.Config{Table: gated{newBolt(t), gates}})
		start := func(name string) {
			gates[name] = make(chan struct{})
			go m.Get(t.Context(), true, table.Key{PK: "p", SK: name})
			synctest.Wait()
		}
		finish := func(name string) { close(gates[name]); synctest.Wait() }
		waves := func(want int, after string) {
			t.Helper()
			if got := m.Counts().Waves; got != want {
				t.Errorf("%d waves after %s, want %d", got, after, want)
			}
		}
		start("a")
		start("b")
		waves(1, "two calls at once")
		finish("a")
		start("c")
		waves(2, "a call that followed one of them")
		finish("b")
		start("d")
		waves(2, "a late end of the first wave")
		m.Reset()
		start("e")
		finish("c")
		start("f")
		waves(1, "a reset with calls under way")
		for _, name := range []string{"d", "e", "f"} {
			finish(name)
		}
	})
}

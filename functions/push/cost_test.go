package push_test

import (
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// TestUnits pins what a turn costs whose reply is relayed, with everything that is
// invoked for it: a reply of 1,200 bytes in six seconds.
func TestUnits(t *testing.T) {
	in(t, slowly, func(w *world) {
		m := meter.New(meter.Config{Table: w.Table})
		w.table = m
		w.connect()
		for n, most := range []int{49, 42, 42} {
			before, pushes := w.gateway.posts, w.invoked["push"]
			m.Reset()
			w.send([]parley.EntryID{"m0", "m1", "m2"}[n])
			time.Sleep(10 * time.Second)
			w.settle()
			c := m.Counts()
			t.Logf("turn %d: %d write units, %.1f read units, %d posts, %d of push", n+1, c.WriteUnits(), c.ReadUnits(),
				w.gateway.posts-before, w.invoked["push"]-pushes)
			if c.WriteUnits() > most {
				t.Errorf("turn %d takes %d write units, at most %d", n+1, c.WriteUnits(), most)
			}
			if posts := w.gateway.posts - before; posts > 22 {
				t.Errorf("turn %d takes %d posts, at most 22", n+1, posts)
			}
		}
		w.page.whole(2, text)
	})
}

// TestUnitsOfNothing: sessions whose pages ask for themselves cost push nothing, and
// neither does a session whose page is not there.
func TestUnitsOfNothing(t *testing.T) {
	in(t, saying("Yes"), func(w *world) {
		for range 3 {
			parleytest.Turn(t, w.Store, w.visitor, parley.EntryID(time.Now().Format("m150405.000")), "")
			time.Sleep(time.Second)
		}
		w.settle()
		if n := w.invoked["push"]; n != 0 {
			t.Errorf("push was invoked %d times for the native channel", n)
		}
		w.send("m1")
		w.settle()
		m := meter.New(meter.Config{Table: w.Table})
		w.table = m
		w.reply("h1", "human1")
		w.settle()
		if c := m.Counts(); c.WriteUnits() != 0 || c.ReadUnits() > 1.5 || w.invoked["push"] == 0 {
			t.Errorf("with nobody there push takes %d write and %.1f read units in %d invocations", c.WriteUnits(), c.ReadUnits(), w.invoked["push"])
		}
	})
}

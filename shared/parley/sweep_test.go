package parley_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table"
)

// jobs are what a sweep can find to do. Each is prepared so that it is due and has only
// begun, and returns whether it is done.
var jobs = map[string]func(scene) func() bool{
	"a session to erase": func(s scene) func() bool {
		id, _ := s.rich()
		s.want("erasing", s.over(s.failing(4)).Erase(context.Background(), s.visitor, id), "")
		return func() bool { return !s.holds(secret) && len(s.bucket.Objects(s)) == 0 }
	},
	"a visitor to erase": func(s scene) func() bool {
		c := s.tells("mine")
		s.want("erasing", s.over(s.failing(2)).EraseVisitor(context.Background(), s.operator(), c.Visitor), "")
		return func() bool { return !s.holds(secret) }
	},
	"a contact to erase": func(s scene) func() bool {
		c := s.tells("mine")
		got, err := s.store.Prove(context.Background(), c, parley.Identity{External: secret, Email: "a@" + secret})
		if err != nil {
			s.Fatal(err)
		}
		s.swept()
		s.want("erasing", s.over(s.failing(2)).EraseContact(context.Background(), s.operator(), got.ID), "")
		return func() bool { return !s.holds(secret) && !s.holds(string(got.ID)) }
	},
	"sessions to give to a contact": func(s scene) func() bool {
		one, two := s.turn("m1").ID, s.turn("m2").ID
		_, err := s.over(s.failing(2)).Identify(context.Background(), parley.IdentifyRequest{Caller: s.visitor, Identity: &parley.Identity{External: "ann"}})
		s.want("identifying", err, "")
		return func() bool {
			return s.sessionOf(s.operator(), one).Owner.Contact != "" && s.sessionOf(s.operator(), two).Owner.Contact != ""
		}
	},
	"a contact to block": func(s scene) func() bool {
		c := s.signedIn("mal")
		s.writes(c, "m1", "")
		if err := s.over(dies{s.table, c.Visitor}).BlockContact(context.Background(), parleytest.Project, c.Contact, true); err == nil {
			s.Fatal("nothing died")
		}
		return func() bool {
			return s.table.Dump(s)[table.Key{PK: "demo/visitor/" + string(c.Visitor), SK: "-"}].Bool("barred")
		}
	},
	"a file to remove": func(s scene) func() bool {
		s.upload("a.txt")
		await(parley.FileLife + 59*time.Minute)
		for range 7 { // each catches up four hours
			parleytest.Sweep(s, s.store)
		}
		return func() bool { return len(s.bucket.Objects(s)) == 0 && !s.holds("a.txt") }
	},
	"a close to settle": func(s scene) func() bool {
		id := s.turn("m1").ID
		s.close(id)
		return func() bool { return !s.session(id).Closing() }
	},
}

// givesBack begins what fails where something is given back to a budget, which may be lost.
var givesBack = map[string]string{"read": "demo/run/", "write": "change of demo/visitor/"}

// failing is a table of which one write, counted from 1, fails.
func (s scene) failing(nth int) *faulty { return &faulty{Table: s.table, nth: nth, writes: true} }

// holds reports whether text is somewhere in the table, but in counts, which expire.
func (s scene) holds(text string) bool {
	for k, item := range s.table.Dump(s) {
		if !strings.HasPrefix(k.PK, "demo/count/") && strings.Contains(fmt.Sprint(item), text) {
			return true
		}
	}
	return false
}

// ordered are the jobs that are left, besides looks at sessions.
func (s scene) ordered() (left []table.Key) {
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.SK, "job/") && k.SK != "job/look" {
			left = append(left, k)
		}
	}
	return left
}

// TestJobFails: a sweep of which a read or a write fails says so, whichever it is, but
// where something would be given back to a budget. After that, and after one that met a
// damaged item, the job is not given up, and a sweep does it.
func TestJobFails(t *testing.T) {
	for name, prepare := range jobs {
		for fails, kind := range map[string]struct{ damages, writes bool }{"read": {}, "damage": {damages: true}, "write": {writes: true}} {
			t.Run(name+"/"+fails, func(t *testing.T) {
				for n, more := 1, true; more; n++ {
					onBolt(t, func(s scene) {
						parleytest.Sweep(s, s.store)
						done := prepare(s)
						await(2 * time.Minute)
						if done() {
							s.Fatal("it is done before")
						}
						tbl := &faulty{Table: s.table, nth: n, damages: kind.damages, writes: kind.writes}
						swept, err := s.over(tbl).Sweep(context.Background(), parley.SweepHelp{Revive: nothingToRevive})
						more = tbl.calls >= n
						if tbl.failed != "" && !kind.damages && !strings.HasPrefix(tbl.failed, givesBack[fails]) && err == nil && swept.Failed == 0 {
							s.Errorf("without %s %d, of %s, the sweep says %+v", fails, n, tbl.failed, swept)
						}
						s.swept()
						if left := s.ordered(); len(left) > 0 || !done() {
							s.Errorf("without %s %d, of %s, it is done: %t, and left is %v", fails, n, tbl.failed, done(), left)
						}
					})
				}
			})
		}
	}
}

// TestUnknownJobs: what is due and nobody knows, as of a later release, counts as failed
// and is put off for a minute, and what else is due is done.
func TestUnknownJobs(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		s.send(say("due", id))
		for k, item := range s.table.Dump(s) {
			if !strings.HasPrefix(k.PK, "demo/run/") || item.String("ws") == "" {
				continue
			}
			for _, sk := range []string{"job/nobody", "mark/nobody"} {
				unknown := table.Key{PK: "demo/session/" + string(id), SK: sk}.With(table.Item{"wp": item["wp"], "ws": item["ws"]})
				if err := s.table.Write(ctx, table.Put(unknown)); err != nil {
					s.Fatal(err)
				}
			}
		}
		for n := range 2 {
			await(time.Minute)
			if swept, _ := parleytest.Sweep(s, s.store); swept.Failed != 2 || n == 0 && swept.Revived == 0 {
				s.Errorf("sweep %d: %+v, want two that failed and a run that was revived", n+1, swept)
			}
		}
	})
}

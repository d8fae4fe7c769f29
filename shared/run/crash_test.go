package run_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// A scenario is done by one process, which crashes before or after one exact
// call to the table. Then others go on: clients repeat themselves, readers come
// back, the sweep looks.
type scenario struct {
	name   string
	before func(w *world) // by a process that does not crash
	act    func(w *world)
}

var scenarios = []scenario{
	{"first message", nil, func(w *world) { w.say1("m", true) }},
	{"first message, buffered", nil, func(w *world) { w.say1("m", false) }},
	{"later message", (*world).opening, func(w *world) { w.say1("m", true) }},
	{"later message, buffered", (*world).opening, func(w *world) { w.say1("m", false) }},
	{"queued message", (*world).opening, func(w *world) {
		w.goes(func() { w.say1("slow", true) })
		time.Sleep(500 * time.Millisecond)
		w.say1("m", true)
	}},
	{"refused message", (*world).opening, func(w *world) {
		w.goes(func() { w.say1("slow", true) })
		time.Sleep(500 * time.Millisecond)
		w.send(w.message("m", parley.BusyRefuse, true))
	}},
	{"superseding message", (*world).opening, func(w *world) {
		w.goes(func() { w.say1("slow", true) })
		time.Sleep(500 * time.Millisecond)
		w.send(w.message("m", parley.BusySupersede, true))
	}},
	{"cancel", (*world).opening, func(w *world) {
		w.goes(func() { w.say1("slow", true) })
		time.Sleep(500 * time.Millisecond)
		w.try("cancel", func(p *process) error {
			_, err := p.engine.Cancel(context.Background(), w.caller, w.where(), "")
			return err
		})
	}},
	{"takeover", (*world).opening, func(w *world) {
		w.goes(func() { w.say1("slow", true) })
		time.Sleep(300 * time.Millisecond)
		w.goes(func() { w.say1("m", true) })
		time.Sleep(300 * time.Millisecond)
		w.try("take over", func(p *process) error {
			return p.store.TakeOver(context.Background(), parleytest.Operator(), w.where(), parley.Author{Kind: parley.AuthorHuman})
		})
	}},
	{"retry", func(w *world) { w.opening(); w.say1("fail", true) }, func(w *world) {
		w.send(parley.SendRequest{ID: w.id("failr"), Session: w.where(), Retry: parley.RunID(w.id("fail")), Claim: true})
	}},
	{"revive", (*world).orphan, func(w *world) {
		time.Sleep(2 * time.Minute)
		w.try("sweep", func(p *process) error {
			_, err := p.store.Sweep(context.Background(), parley.SweepHelp{Revive: p.engine.Revive})
			return err
		})
	}},
}

func (w *world) id(name string) parley.EntryID {
	return parley.EntryID(fmt.Sprintf("%d%s", w.seed, name))
}

func (w *world) message(name string, busy parley.Busy, claim bool) parley.SendRequest {
	return parley.SendRequest{ID: w.id(name), Session: w.where(), Channel: parley.ChannelNative,
		Content: string(w.id(name)), IfBusy: busy, Claim: claim}
}

func (w *world) say1(name string, claim bool) { w.send(w.message(name, parley.BusyQueue, claim)) }

func (w *world) opening() { w.say1("opening", true) }

// orphan leaves a run whose process died in the middle of the reply.
func (w *world) orphan() {
	w.opening()
	dying := w.start(nil)
	sent, claim, err := dying.engine.Send(context.Background(), w.caller, w.message("slow", parley.BusyQueue, true))
	if err != nil {
		w.errorf("orphan: %v", err)
		return
	}
	w.stored[w.id("slow")] = true
	reader := &reader{run: sent.Ref.Run}
	dying.engine.Stream(context.Background(), sent.Ref, 0, claim, func(e run.Event) error {
		dying.table.Crash()
		reader.text.WriteString(e.Text)
		return errLeft
	})
	w.readers = append(w.readers, reader)
}

// byName makes the model do what the message's name says.
func byName(c agent.Conversation) []agenttest.Step {
	asked := c.Turns[len(c.Turns)-1].Text
	switch {
	case strings.HasSuffix(asked, "slow"):
		return agenttest.Evenly("a slow reply to "+asked, 5, 2*time.Second)
	case strings.HasSuffix(asked, "fail"):
		return []agenttest.Step{{Delta: "half a reply to " + asked}, {Err: agent.ErrCut}}
	}
	return agenttest.Evenly("a reply to "+asked, 3, 300*time.Millisecond)
}

// TestCrashAtEveryCall crashes a process before and after every call it makes.
func TestCrashAtEveryCall(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { crash(t, parleytest.Table(t), s, 1) })
		})
	}
}

// crash has a process die before a call and after it, at one call in so many as every says.
func crash(t *testing.T, tbl table.Table, s scenario, every int) {
	parleytest.Put(t, parleytest.Store(t, parley.Config{Table: tbl}), busySettings())
	seed := uint64(0)
	for n, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		for call := 1 + n%every; ; call += every {
			seed++
			w := newWorld(t, seed, tbl, nil)
			w.say = byName
			w.procs = []*process{w.start(nil), w.start(nil)}
			if s.before != nil {
				s.before(w)
			}
			crashing := w.start(map[int]fault.Kind{call: kind})
			w.mu.Lock()
			w.first = crashing
			w.mu.Unlock()
			w.goes(func() { s.act(w) })
			w.settle()
			w.check()
			if t.Failed() {
				t.Fatalf("after a crash of kind %d at call %d", kind, call)
			}
			if crashing.table.Calls() < call {
				t.Logf("%d calls", crashing.table.Calls())
				break
			}
		}
	}
}

package run_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/table"
	"parley/shared/table/fault"
)

// A simulation lets several processes work on one session in virtual time:
// visitors in several tabs, readers who come and go, operators, responders and
// the sweep, over a table that fails in every way a table can, with processes
// that die. When all is quiet, it checks what must be true whatever happened.

var verbose = flag.Bool("sim.verbose", false, "print what a simulation does")

// world is one simulation.
type world struct {
	t      testing.TB
	seed   uint64
	inner  table.Table
	net    *fault.Network
	chance map[fault.Kind]float64
	script *agenttest.Script
	say    func(agent.Conversation) []agenttest.Step
	clean  *parley.Store
	caller parley.Caller
	// first serves every call until it crashes; nil leaves it to chance.
	first *process

	mu      sync.Mutex
	quiet   bool // no new faults
	rng     *rand.Rand
	procs   []*process
	session parley.SessionID
	readers []*reader
	stored  map[parley.EntryID]bool // sends that were answered with success
	wg      sync.WaitGroup
}

// process is a Lambda instance or a server: a store and an engine of its own.
type process struct {
	table  *fault.Process
	store  *parley.Store
	engine *run.Engine
}

// reader is what somebody saw of a run.
type reader struct {
	run  parley.RunID
	text strings.Builder
	end  *run.End
}

func newWorld(t testing.TB, seed uint64, inner table.Table, chance map[fault.Kind]float64) *world {
	w := &world{t: t, seed: seed, inner: inner, chance: chance, rng: rand.New(rand.NewPCG(seed, 1)),
		stored: map[parley.EntryID]bool{}}
	w.net = fault.NewNetwork(fault.NetworkConfig{Table: inner, Behind: 3})
	w.clean = parleytest.Store(t, parley.Config{Table: inner})
	w.script = agenttest.New(func(c agent.Conversation) []agenttest.Step { return w.say(c) })
	w.say = w.steps
	w.caller = parleytest.Visitor(t, w.clean)
	return w
}

// n returns a number below max; every choice of a simulation comes from here.
func (w *world) n(max int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(max)
}

func (w *world) one(in int) bool { return w.n(in) == 0 }

func (w *world) pause(max time.Duration) { time.Sleep(time.Duration(w.n(int(max)))) }

// steps is what the model does: it says words at its own pace, and sometimes
// fails, is cut short, hangs, or asks for a human.
func (w *world) steps(c agent.Conversation) []agenttest.Step {
	asked := c.Turns[len(c.Turns)-1].Text
	delays := []time.Duration{0, 0, 20 * time.Millisecond, 150 * time.Millisecond, time.Second, 3 * time.Second}
	var steps []agenttest.Step
	for i := range w.n(8) {
		d := delays[w.n(len(delays))]
		if w.one(60) {
			d = 13 * time.Second
		}
		steps = append(steps, agenttest.Step{Delay: d, Delta: fmt.Sprintf("%s.%d.%d ü ", asked, i, w.n(1000))})
	}
	switch w.n(16) {
	case 0:
		steps = append(steps, agenttest.Step{Err: agent.ErrProvider})
	case 1:
		steps = append(steps, agenttest.Step{Err: agent.ErrCut})
	case 2:
		steps = append(steps, agenttest.Step{Delay: time.Hour, Delta: "never"})
	case 3:
		if w.one(3) {
			steps = append(steps, agenttest.Step{Result: &agent.Result{Handover: true}})
		}
	}
	return steps
}

// slow gives every call a duration, so that calls of several processes interleave.
type slow struct {
	table.Table
	w *world
}

func (s slow) Get(ctx context.Context, consistent bool, keys ...table.Key) ([]table.Item, error) {
	s.w.pause(12 * time.Millisecond)
	defer s.w.pause(6 * time.Millisecond)
	return s.Table.Get(ctx, consistent, keys...)
}

func (s slow) Query(ctx context.Context, q table.Query) (table.Page, error) {
	s.w.pause(12 * time.Millisecond)
	defer s.w.pause(6 * time.Millisecond)
	return s.Table.Query(ctx, q)
}

func (s slow) Write(ctx context.Context, actions ...table.Action) error {
	s.w.pause(12 * time.Millisecond)
	defer s.w.pause(6 * time.Millisecond)
	return s.Table.Write(ctx, actions...)
}

// start brings up a process; plan names the faults of exact calls.
func (w *world) start(plan map[int]fault.Kind) *process {
	c := fault.Config{Seed: uint64(w.n(1 << 30)), Plan: plan, Delay: 40 * time.Millisecond}
	if !w.isQuiet() {
		c.Chance = w.chance
	}
	p := &process{table: w.net.Process(c)}
	p.store = parleytest.Store(w.t, parley.Config{Table: slow{p.table, w}})
	var err error
	p.engine, err = run.New(run.Config{Store: p.store, Respond: w.respond, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return w.script, nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// respond is an asynchronous invocation: it may be lost, or come twice.
func (w *world) respond(_ context.Context, ref parley.RunRef) error {
	times := 1
	if !w.isQuiet() {
		times = []int{0, 1, 1, 1, 1, 1, 1, 2}[w.n(8)]
	}
	for range times {
		w.goes(func() {
			w.pause(50 * time.Millisecond)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
			defer cancel()
			w.log("respond %s: %v", ref.Run, w.any().engine.Respond(ctx, ref))
		})
	}
	return nil
}

func (w *world) goes(f func()) {
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		f()
	}()
}

func (w *world) log(format string, args ...any) {
	if *verbose {
		w.t.Logf("%s "+format, append([]any{time.Now().Format("04:05.000")}, args...)...)
	}
}

// any returns a living process, in place of one that has crashed a new one.
func (w *world) any() *process {
	w.mu.Lock()
	if w.first != nil && !w.first.table.Crashed() {
		defer w.mu.Unlock()
		return w.first
	}
	i := w.rng.IntN(len(w.procs))
	p := w.procs[i]
	w.mu.Unlock()
	if !p.table.Crashed() {
		return p
	}
	p = w.start(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if i < len(w.procs) {
		w.procs[i] = p
	}
	return p
}

// calm ends the faults: one new process without any is left.
func (w *world) calm() {
	w.mu.Lock()
	w.quiet = true
	w.mu.Unlock()
	p := w.start(nil)
	w.mu.Lock()
	w.first = nil
	w.procs = []*process{p}
	w.mu.Unlock()
}

func (w *world) isQuiet() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quiet
}

// transient reports whether a client would try again.
func transient(err error) bool {
	return errors.Is(err, parley.ErrUnavailable) || errors.Is(err, fault.ErrCrashed) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, errLeft) || errors.Is(err, table.ErrUnknown) || errors.Is(err, table.ErrNotDone) || parley.Code(err) == "rate_limited"
}

var errLeft = errors.New("the reader left")

// send sends until it knows the outcome, with one client id, through whatever
// process is there, and reads the reply.
func (w *world) send(r parley.SendRequest) *reader {
	got := &reader{run: parley.RunID(r.ID)}
	var last error
	for range 40 {
		p := w.any()
		ctx, cancel := context.WithTimeout(context.Background(), 110*time.Second)
		sent, claim, err := p.engine.Send(ctx, w.caller, r)
		w.log("send %s claim %v: kind %v, %v", r.ID, r.Claim, sent.Ref.Run, err)
		if err == nil || parley.Code(err) == "busy" {
			w.mu.Lock()
			w.session = sent.Session.ID
			if r.Retry == "" {
				w.stored[r.ID] = true
			}
			w.mu.Unlock()
		}
		if err == nil && sent.Pending {
			p.engine.Ask(ctx, sent.Ref)
		}
		if err == nil && sent.Ref.Run != "" {
			w.mu.Lock()
			w.readers = append(w.readers, got)
			w.mu.Unlock()
			err = w.follow(ctx, p, sent.Ref, claim, got)
			cancel()
			for transient(err) {
				w.pause(300 * time.Millisecond)
				err = w.resume(sent.Ref, got)
			}
			if err != nil {
				w.t.Errorf("seed %d: reading %s: %v", w.seed, r.ID, err)
			}
			return got
		}
		cancel()
		if !transient(err) {
			if err != nil && parley.Code(err) != "busy" && parley.Code(err) != "not_retryable" && parley.Code(err) != "queue_full" {
				w.t.Errorf("seed %d: send %s: %v", w.seed, r.ID, err)
			}
			return got
		}
		last = err
		w.pause(500 * time.Millisecond)
	}
	w.t.Errorf("seed %d: send %s was never answered: %v", w.seed, r.ID, last)
	return got
}

// resume reads on from what the reader has seen, through any process.
func (w *world) resume(ref parley.RunRef, r *reader) error {
	ctx, cancel := context.WithTimeout(context.Background(), 110*time.Second)
	defer cancel()
	err := w.follow(ctx, w.any(), ref, nil, r)
	w.log("resume %s at %d: %v", ref.Run, r.text.Len(), err)
	return err
}

// follow reads on from what the reader has seen: as it is logged, or in pieces.
func (w *world) follow(ctx context.Context, p *process, ref parley.RunRef, claim *run.Claim, r *reader) error {
	if w.one(2) {
		return p.engine.Stream(ctx, ref, r.text.Len(), claim, w.deliver(r))
	}
	return p.engine.Relay(ctx, ref, r.text.Len(), claim, run.Reader{Event: w.deliver(r), Beat: func() error { return nil }, Every: time.Second})
}

// deliver collects what a reader sees; now and then the reader leaves.
func (w *world) deliver(r *reader) func(run.Event) error {
	return func(e run.Event) error {
		if w.one(25) {
			return errLeft
		}
		r.text.WriteString(e.Text)
		if e.Upto != r.text.Len() {
			w.t.Errorf("seed %d: %s: %d bytes read, the event says %d", w.seed, r.run, r.text.Len(), e.Upto)
		}
		if e.End != nil {
			r.end = e.End
		}
		return nil
	}
}

// try repeats an operator's or a visitor's call until it has an answer.
func (w *world) try(what string, do func(p *process) error) {
	for range 40 {
		err := do(w.any())
		w.log("%s: %v", what, err)
		if err == nil || !transient(err) {
			if err != nil {
				w.t.Errorf("seed %d: %s: %v", w.seed, what, err)
			}
			return
		}
		w.pause(200 * time.Millisecond)
	}
}

// run lets everybody act, and then time pass until all is quiet.
func (w *world) run() {
	for range 3 {
		w.procs = append(w.procs, w.start(nil))
	}
	busy := []parley.Busy{parley.BusyQueue, parley.BusyQueue, parley.BusyRefuse, parley.BusySupersede}
	first := fmt.Sprintf("%dm", w.seed)
	w.send(parley.SendRequest{ID: parley.EntryID(first), Channel: parley.ChannelNative, Content: first, Claim: !w.one(3)})
	for tab := range 2 + w.n(2) {
		w.goes(func() { w.tab(tab, busy) })
	}
	if w.one(2) {
		w.goes(w.operator)
	}
	if w.one(2) {
		w.goes(func() {
			w.pause(8 * time.Second)
			w.try("cancel", func(p *process) error {
				_, err := p.engine.Cancel(context.Background(), w.caller, w.where(), "")
				return err
			})
		})
	}
	w.settle()
}

// settle sweeps until everybody is done, and then, without faults, until the
// session is free.
func (w *world) settle() {
	stop := make(chan struct{})
	var schedule sync.WaitGroup
	schedule.Go(func() { w.sweeps(stop) })
	w.wg.Wait()
	w.calm()
	for range 10 {
		w.net.Settle()
		w.wg.Wait()
		if session, err := w.clean.Session(context.Background(), w.caller, w.where()); err == nil && session.Run == nil {
			break
		}
		time.Sleep(time.Minute)
	}
	close(stop)
	schedule.Wait()
	w.wg.Wait()
	w.net.Settle()
}

// tab is a visitor in one tab: messages, repetitions, retries.
func (w *world) tab(tab int, busy []parley.Busy) {
	for i := range 1 + w.n(3) {
		w.pause(3 * time.Second)
		id := parley.EntryID(fmt.Sprintf("%dt%dm%d", w.seed, tab, i))
		r := parley.SendRequest{ID: id, Session: w.where(), Content: string(id), IfBusy: busy[w.n(len(busy))], Claim: !w.one(3)}
		if w.one(5) { // the same request from elsewhere, at the same time
			w.goes(func() { w.send(r) })
		}
		got := w.send(r)
		if got.end != nil && (got.end.Status == parley.StatusFailed || got.end.Status == parley.StatusIncomplete) {
			w.send(parley.SendRequest{ID: id + "r", Session: w.where(), Retry: parley.RunID(id), Claim: !w.one(3)})
		}
	}
}

func (w *world) operator() {
	op := parleytest.Operator()
	by := parley.Author{Kind: parley.AuthorHuman, ID: "op", Name: "Ola"}
	w.pause(10 * time.Second)
	w.try("take over", func(p *process) error { return p.store.TakeOver(context.Background(), op, w.where(), by) })
	w.pause(10 * time.Second)
	w.try("hand back", func(p *process) error { return p.store.HandBack(context.Background(), op, w.where(), by) })
}

// sweeps is the schedule: every minute, whatever comes of it.
func (w *world) sweeps(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Minute):
		}
		p := w.any()
		swept, err := p.store.Sweep(context.Background(), parley.SweepHelp{Revive: p.engine.Revive})
		w.log("sweep: %+v %v", swept, err)
	}
}

func (w *world) where() parley.SessionID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.session
}

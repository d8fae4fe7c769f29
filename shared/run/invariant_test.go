package run_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
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

// stage is where a test of the engine plays: one process, and a model that does
// what the question says.
type stage struct {
	*testing.T
	table   *parleytest.Listed
	store   *parley.Store
	engine  *run.Engine
	script  *agenttest.Script
	visitor parley.Caller
	// busy is how many replies the model is writing, most how many it ever wrote at once.
	busy, most *atomic.Int32
	// clock is that of processes to come; nil is the real one.
	clock func() time.Time
}

// onStage plays test on both tables.
func onStage(t *testing.T, test func(s stage)) {
	parleytest.OnBothTables(t, func(t *testing.T, tbl *parleytest.Listed) { test(newStage(t, tbl)) })
}

func newStage(t *testing.T, tbl *parleytest.Listed) stage {
	s := stage{T: t, table: tbl, script: agenttest.New(asAsked), busy: new(atomic.Int32), most: new(atomic.Int32)}
	s.store, s.engine = s.process(tbl)
	p := busySettings()
	p.Budgets.MessagesPerMinute, p.Budgets.AddressTokens, p.Budgets.ProjectTokens = 1e6, 1e9, 1e12
	parleytest.Put(t, s.store, p)
	s.visitor = parleytest.Visitor(t, s.store)
	return s
}

// process starts another process of the stage.
func (s stage) process(tbl table.Table) (*parley.Store, *run.Engine) {
	s.Helper()
	store := parleytest.Store(s, parley.Config{Table: tbl, Now: s.clock})
	e, err := run.New(run.Config{Store: store, Now: s.clock, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return counted{s}, nil }})
	if err != nil {
		s.Fatal(err)
	}
	return store, e
}

// counted is the stage's model.
type counted struct{ stage }

func (c counted) Reply(ctx context.Context, conv agent.Conversation, emit func(string) error) (agent.Result, error) {
	n := c.busy.Add(1)
	defer c.busy.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	return c.script.Reply(ctx, conv, emit)
}

// The questions that the model has something special to say to.
const (
	plainly   = "plain"   // in 2 s
	slowly    = "slow"    // in 10 s, the first words after one
	silently  = "silent"  // nothing for 25 s, then an answer
	brokenOff = "broken"  // half an answer, and then the stream is cut
	notAtAll  = "nothing" // fails before the first word
	toHuman   = "human"   // asks for a human at the end, after 3 s
)

func answer(question string) string { return "Ä reply tö " + question + ", wörd by wörd by wörd." }

func asAsked(c agent.Conversation) []agenttest.Step {
	question := c.Turns[len(c.Turns)-1].Text
	kind, _, _ := strings.Cut(question, " ")
	switch kind {
	case slowly:
		return agenttest.Evenly(answer(question), 10, 10*time.Second)
	case silently:
		return []agenttest.Step{{Delay: 25 * time.Second, Delta: answer(question)}}
	case brokenOff:
		return []agenttest.Step{{Delta: "half "}, {Delay: 500 * time.Millisecond, Delta: "an answer"}, {Err: agent.ErrCut}}
	case notAtAll:
		return []agenttest.Step{{Err: agent.ErrProvider}}
	case toHuman:
		return append(agenttest.Evenly(answer(question), 3, 3*time.Second), agenttest.Step{Result: &agent.Result{Handover: true}})
	}
	return agenttest.Evenly(answer(question), 8, 2*time.Second)
}

// question is a message of a kind; its id is its text.
func question(text string, session parley.SessionID) parley.SendRequest {
	return parleytest.Say(parley.EntryID(text), session, text)
}

func asking(text string, session parley.SessionID, wish parley.Busy) parley.SendRequest {
	r := question(text, session)
	r.IfBusy = wish
	return r
}

// told is what came of a request.
type told struct {
	text string
	end  *run.End
	sent parley.Sent
	err  error
}

func (s stage) ask(r parley.SendRequest) told { return s.askVia(s.engine, r) }

func (s stage) askVia(e *run.Engine, r parley.SendRequest) told {
	text, end, sent, err := ask(context.Background(), e, s.visitor, r)
	return told{text, end, sent, err}
}

// later asks in the background, in another process.
func (s stage) later(r parley.SendRequest) <-chan told {
	got := make(chan told, 1)
	_, e := s.process(s.table)
	go func() { got <- s.askVia(e, r) }()
	return got
}

// read follows a run from a byte on, in another process.
func (s stage) read(ref parley.RunRef, from int) told {
	var t told
	_, e := s.process(s.table)
	t.err = e.Stream(context.Background(), ref, from, nil, func(ev run.Event) error {
		t.text, t.end = t.text+ev.Text, ev.End
		if ev.Text == "" && ev.End == nil {
			return errors.New("an event without text or end")
		}
		if ev.Upto != from+len(t.text) && ev.Text != "" {
			return fmt.Errorf("%d bytes after %d, the event says up to %d", len(t.text), from, ev.Upto)
		}
		return nil
	})
	return t
}

// wants fails the test unless a run was told so.
func (s stage) wants(what string, got told, text string, status parley.RunStatus) {
	s.Helper()
	switch {
	case got.err != nil || got.end == nil:
		s.Errorf("%s: %q, end %v, %v", what, got.text, got.end, got.err)
	case got.text != text || got.end.Status != status:
		s.Errorf("%s: %q %s, want %q %s", what, got.text, got.end.Status, text, status)
	case got.end.Entry == nil || got.end.Entry.Text != text && status != parley.StatusFailed || got.end.Entry.Status != status:
		s.Errorf("%s: %q %s, stored is %+v", what, got.text, got.end.Status, got.end.Entry)
	}
}

// calls fails the test unless the model was called for exactly these questions.
func (s stage) calls(want ...string) {
	s.Helper()
	var got []string
	for _, c := range s.script.Record() {
		got = append(got, c.Conversation.Turns[len(c.Conversation.Turns)-1].Text)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		s.Errorf("the model was asked %q, want %q", got, want)
	}
}

func (s stage) brief(id parley.SessionID) []string {
	s.Helper()
	return parleytest.Brief(parleytest.Entries(s, s.store, parleytest.Operator(), id))
}

// quiet fails the test if the session is left with a run.
func (s stage) quiet(id parley.SessionID) {
	s.Helper()
	got, err := s.store.Session(context.Background(), s.visitor, id)
	if err != nil || got.Run != nil || len(got.Queue) > 0 {
		s.Errorf("the session is left with %v, %v, %v", got.Run, got.Queue, err)
	}
}

// sweepsFor sweeps every minute, as the schedule does, for so long.
func (s stage) sweepsFor(d time.Duration) {
	s.Helper()
	for ; d > 0; d -= time.Minute {
		time.Sleep(time.Minute)
		if _, err := s.store.Sweep(context.Background(), parley.SweepHelp{Revive: s.engine.Revive}); err != nil {
			s.Errorf("sweep: %v", err)
		}
	}
}

// dies asks in a process that crashes as soon as its reader has seen so many
// events; with none, right after the send.
func (s stage) dies(r parley.SendRequest, events int) parley.RunRef {
	s.Helper()
	p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{})
	_, e := s.process(p)
	sent, claim, err := e.Send(context.Background(), s.visitor, r)
	if err != nil {
		s.Fatalf("send: %v", err)
	}
	if events == 0 {
		p.Crash()
	}
	err = e.Stream(context.Background(), sent.Ref, 0, claim, func(run.Event) error {
		if events--; events == 0 {
			p.Crash()
		}
		return nil
	})
	if err == nil {
		s.Fatal("the process did not die")
	}
	return sent.Ref
}

// TestInvariant1TheSameStream: a repeated request is told the same, whenever it comes.
func TestInvariant1TheSameStream(t *testing.T) {
	onStage(t, func(s stage) {
		first := s.later(question(slowly, ""))
		time.Sleep(3500 * time.Millisecond)
		again := s.later(question(slowly, ""))
		for name, got := range map[string]<-chan told{"first": first, "again": again} {
			s.wants(name, <-got, answer(slowly), parley.StatusDone)
		}
		for range 2 {
			s.wants("afterwards", s.ask(question(slowly, "")), answer(slowly), parley.StatusDone)
			time.Sleep(25 * time.Hour) // the log expires
		}
		s.calls(slowly)
	})
}

// TestInvariant2OneRunOneCall: one run at a time, one call of the model for
// each message that asks for a reply and for each retry.
func TestInvariant2OneRunOneCall(t *testing.T) {
	t.Run("the same from everywhere", func(t *testing.T) { onStage(t, sameFromEverywhere) })
	t.Run("asked for twice", func(t *testing.T) { onStage(t, askedForTwice) })
	t.Run("queue", func(t *testing.T) { onStage(t, queued) })
	t.Run("refuse", func(t *testing.T) { onStage(t, refusedAsBusy) })
	t.Run("supersede", func(t *testing.T) { onStage(t, superseded) })
	t.Run("retry", func(t *testing.T) { onStage(t, retried) })
}

func sameFromEverywhere(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	var all []<-chan told
	for range 5 {
		all = append(all, s.later(question(plainly, id)))
	}
	for _, got := range all {
		s.wants("each", <-got, answer(plainly), parley.StatusDone)
	}
	s.calls("opening", plainly)
	s.quiet(id)
}

// askedForTwice: a responder is invoked several times for a run, at once, while
// it is generated, afterwards, and before its turn has come.
func askedForTwice(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	r := question(slowly, id)
	r.Claim = false
	sent, _, err := s.engine.Send(context.Background(), s.visitor, r)
	if err != nil || !sent.Pending {
		s.Fatalf("Send = %+v, %v", sent, err)
	}
	waits, _, err := s.engine.Send(context.Background(), s.visitor, question(plainly, id))
	if err != nil || waits.Claim != nil {
		s.Fatalf("Send = %+v, %v", waits, err)
	}
	var responders sync.WaitGroup
	respond := func(ref parley.RunRef, after time.Duration) {
		_, e := s.process(s.table)
		responders.Go(func() {
			time.Sleep(after)
			if err := e.Respond(context.Background(), ref); err != nil {
				s.Errorf("respond: %v", err)
			}
		})
	}
	for _, after := range []time.Duration{0, 0, time.Millisecond, 500 * time.Millisecond, 3 * time.Second, 12 * time.Second} {
		respond(sent.Ref, after)
		respond(waits.Ref, after/2)
	}
	s.wants("a reader", s.read(sent.Ref, 0), answer(slowly), parley.StatusDone)
	s.wants("a reader of the next", s.read(waits.Ref, 0), answer(plainly), parley.StatusDone)
	responders.Wait()
	s.calls("opening", slowly, plainly)
	if s.most.Load() != 1 {
		s.Errorf("%d replies were written at once", s.most.Load())
	}
}

func queued(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	first := s.later(question(slowly, id))
	time.Sleep(time.Second)
	var all []<-chan told
	want := []string{"opening", slowly}
	for n := range 4 {
		text := fmt.Sprint(plainly, " ", n)
		r := question(text, id)
		r.Claim = n%2 == 0 // the others' requests do not stay
		got := make(chan told, 1)
		if r.Claim {
			all = append(all, s.later(r))
		} else {
			go func() {
				sent, _, err := s.engine.Send(context.Background(), s.visitor, r)
				if err != nil || sent.Pending {
					s.Errorf("Send = %+v, %v", sent, err)
				}
				got <- s.read(sent.Ref, 0)
			}()
			all = append(all, got)
		}
		want = append(want, text)
		time.Sleep(100 * time.Millisecond)
	}
	s.wants("the first", <-first, answer(slowly), parley.StatusDone)
	for n, got := range all {
		s.wants("a queued one", <-got, answer(fmt.Sprint(plainly, " ", n)), parley.StatusDone)
	}
	s.calls(want...)
	if s.most.Load() != 1 {
		s.Errorf("%d replies were written at once", s.most.Load())
	}
	for _, c := range s.script.Record()[2:] { // nobody is told of a question that waits for its own turn
		last := c.Conversation.Turns[len(c.Conversation.Turns)-1]
		for _, turn := range c.Conversation.Turns[:len(c.Conversation.Turns)-1] {
			if turn.Role == agent.Visitor && turn.Text > last.Text && strings.HasPrefix(turn.Text, plainly) {
				s.Errorf("asked %q, the model is told of %q", last.Text, turn.Text)
			}
		}
	}
	s.quiet(id)
}

func refusedAsBusy(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	first := s.later(question(slowly, id))
	time.Sleep(time.Second)
	got := s.ask(asking("refused", id, parley.BusyRefuse))
	if e := (*parley.Error)(nil); !errors.As(got.err, &e) || e.Code != "busy" || e.Run != slowly || e.Session != id {
		s.Errorf("refused with %v", got.err)
	}
	s.wants("the first", <-first, answer(slowly), parley.StatusDone)
	s.ask(question("next", id))
	s.calls("opening", slowly, "next")
	turns := s.script.Record()[2].Conversation.Turns
	if len(turns) != 6 || turns[3].Text != "refused" {
		s.Errorf("the next run sees %+v", turns)
	}
}

func superseded(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	first := s.later(question(slowly, id))
	time.Sleep(2500 * time.Millisecond)
	waiting := s.later(question("waiting", id))
	time.Sleep(time.Second)
	second := s.later(asking(plainly, id, parley.BusySupersede))
	got := <-first
	if got.err != nil || got.end.Status != parley.StatusCancelled || got.text == "" || !strings.HasPrefix(answer(slowly), got.text) || got.end.Entry.Text != got.text {
		s.Errorf("superseded: %q, %+v, %v", got.text, got.end, got.err)
	}
	if got := <-waiting; got.err != nil || got.end.Status != parley.StatusCancelled || got.text != "" {
		s.Errorf("superseded in the queue: %q, %+v, %v", got.text, got.end, got.err)
	}
	s.wants("superseding", <-second, answer(plainly), parley.StatusDone)
	s.wants("the same again", s.ask(asking(plainly, id, parley.BusySupersede)), answer(plainly), parley.StatusDone)
	s.calls("opening", slowly, plainly)
}

func retried(s stage) {
	id := s.ask(question("opening", "")).sent.Session.ID
	retry := func(id parley.EntryID, session parley.SessionID, of parley.RunID) parley.SendRequest {
		return parley.SendRequest{ID: id, Session: session, Retry: of, Claim: true}
	}
	first := s.ask(question(brokenOff, id))
	s.wants("broken", first, "half an answer", parley.StatusIncomplete)
	// Two tabs offer to try again, and both are clicked.
	one, two := s.later(retry("r1", id, brokenOff)), s.later(retry("r2", id, brokenOff))
	won, lost := <-one, <-two
	if won.err != nil {
		won, lost = lost, won
	}
	s.wants("a retry", won, "half an answer", parley.StatusIncomplete)
	if parley.Code(lost.err) != "not_retryable" {
		s.Errorf("another retry = %q, %v", lost.text, lost.err)
	}
	s.calls("opening", brokenOff, brokenOff)
	for _, wrong := range []parley.RunID{"opening", brokenOff, "unknown"} {
		if got := s.ask(retry("r3", id, wrong)); !errors.Is(got.err, parley.ErrConflict) && !errors.Is(got.err, parley.ErrNotFound) {
			s.Errorf("a retry of %s = %q, %v", wrong, got.text, got.err)
		}
	}
	again := s.ask(retry("r4", id, won.sent.Ref.Run))
	s.wants("a retry of the retry", again, "half an answer", parley.StatusIncomplete)
	s.calls("opening", brokenOff, brokenOff, brokenOff)
	for _, turn := range s.script.Record()[3].Conversation.Turns {
		if turn.Text == "half an answer" {
			s.Error("the model is told of its own failed tries")
		}
	}
	failed := s.ask(question(notAtAll, id))
	if failed.err != nil || failed.end.Status != parley.StatusFailed || failed.end.Entry.Author.Kind != parley.AuthorSystem {
		s.Errorf("failed: %q, %+v, %v", failed.text, failed.end, failed.err)
	}
	if got := s.ask(retry("r5", id, notAtAll)); got.err != nil || got.end.Status != parley.StatusFailed {
		s.Errorf("a retry of what failed: %+v, %v", got.end, got.err)
	}
	s.calls("opening", brokenOff, brokenOff, brokenOff, notAtAll, notAtAll)
}

// TestInvariant3ARunIsALog: what a reader sees is durable, in order and whole
// letters, and the reply is stored once and is the chunks joined.
func TestInvariant3ARunIsALog(t *testing.T) {
	onStage(t, func(s stage) {
		sent, claim, err := s.engine.Send(context.Background(), s.visitor, question(slowly, ""))
		if err != nil {
			s.Fatal(err)
		}
		var seen strings.Builder
		var end *run.End
		err = s.engine.Stream(context.Background(), sent.Ref, 0, claim, func(ev run.Event) error {
			seen.WriteString(ev.Text)
			end = ev.End
			log, err := s.store.ReadLog(context.Background(), sent.Ref, 0, true)
			if durable := parley.Joined(log); err != nil || !strings.HasPrefix(durable, seen.String()) {
				s.Errorf("a reader has seen %q, durable is %q, %v", seen.String(), durable, err)
			}
			return nil
		})
		s.wants("streamed", told{seen.String(), end, sent, err}, answer(slowly), parley.StatusDone)
		log, err := s.store.ReadLog(context.Background(), sent.Ref, 0, true)
		if err != nil || parley.Joined(log) != answer(slowly) || log[len(log)-1].Kind != parley.LogEnd {
			s.Errorf("the log is %+v, %v", log, err)
		}
		for _, l := range log {
			if strings.ToValidUTF8(l.Text, "") != l.Text {
				s.Errorf("a chunk is cut within a letter: %q", l.Text)
			}
		}
		if got := s.brief(sent.Session.ID); len(got) != 2 {
			s.Errorf("stored are %q", got)
		}
	})
	for name, length := range map[string]int{"a chunk": parley.MaxChunkBytes, "two chunks": 2*parley.MaxChunkBytes - 1,
		"the longest reply": 128 << 10, "more": 300 << 10} {
		t.Run(name, func(t *testing.T) {
			parleytest.OnBolt(t, func(t *testing.T, tbl *parleytest.Listed) { longReply(newStage(t, tbl), length) })
		})
	}
}

// TestRepliesAreCutToFitAChannel: a reply is as long as what the channel's messages take of
// it, encoded, to the byte; what is more is cut off, and the reply says so.
func TestRepliesAreCutToFitAChannel(t *testing.T) {
	onStageOfBolt(t, func(s stage) {
		most := parley.ChannelChatHub.MaxJSONBytes() / 2 // each quotation mark takes two
		for length, want := range map[int]int{most: most, most + 1: most} {
			s.script = agenttest.New(agenttest.Always(agenttest.Step{Delta: strings.Repeat(`"`, length)}))
			_, e := s.process(s.table)
			q := question(fmt.Sprint(length), "")
			q.Channel = parley.ChannelChatHub
			got := s.askVia(e, q)
			s.wants("the sender", got, strings.Repeat(`"`, want), parley.StatusDone)
			if cut := got.end.Entry.Truncated; cut != (length > want) {
				s.Errorf("%d of %d bytes are stored, truncated %v", want, length, cut)
			}
		}
		// A letter of which the last byte is one too many does no harm.
		most = parley.ChannelNative.MaxReplyBytes()
		s.script = agenttest.New(agenttest.Always(agenttest.Say(strings.Repeat("a", most-1)+"\xc3", "\xbc")...))
		_, e := s.process(s.table)
		if got := s.askVia(e, question("letter", "")); got.err != nil || !strings.HasPrefix(got.text, strings.Repeat("a", most-1)) || !got.end.Entry.Truncated {
			s.Errorf("told %d bytes, %+v, %v", len(got.text), got.end, got.err)
		}
	})
}

// longReply: a model that says very much at once.
func longReply(s stage, length int) {
	said := strings.Repeat("ü", length/2)
	s.script = agenttest.New(agenttest.Always(agenttest.Say(said[:length/2+1], said[length/2+1:])...))
	_, e := s.process(s.table)
	got := s.askVia(e, question("long", ""))
	want := said[:min(len(said), 128<<10)]
	if got.err != nil || got.text != want || got.end.Entry.Text != want {
		s.Errorf("told %d bytes, stored %d, want %d: %v", len(got.text), len(got.end.Entry.Text), len(want), got.err)
	}
	if again := s.read(got.sent.Ref, 0); again.err != nil || again.text != want {
		s.Errorf("read again: %d bytes, %v", len(again.text), again.err)
	}
}

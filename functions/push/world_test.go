package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"parley/functions/feed"
	"parley/functions/internal/functiontest"
	"parley/functions/push"
	"parley/functions/respond"
	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/run"
	"parley/shared/socket"
	"parley/shared/table"
)

// session is the one that most tests are about.
const session parley.SessionID = "s1"

// world is a project whose visitors' pages are connected over sockets, in virtual
// time: the functions respond, push, feed and sweep on the embedded table, and a
// gateway that keeps what it is given.
type world struct {
	*testing.T
	*functiontest.Kit
	visitor parley.Caller
	table   table.Table // as all processes have it
	taker   *parley.Store
	sent    []parley.EntryID
	gateway *gateway
	// sockets is how frames reach pages: gateway, unless a test has another.
	sockets socket.Poster
	page    *page
	script  *agenttest.Script
	// respond and push are the processes that do what these functions are invoked for.
	// Nil takes a new one each time, which never dies.
	responder func() *process
	pusher    func() *process
	// refuses says that so many posts are refused that push may have to be invoked again.
	refuses bool
	// lag is how long after a change its bell rings.
	lag     time.Duration
	invoked map[string]int
	mu      sync.Mutex
	work    sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context
}

// in runs test in a bubble of virtual time, with an agent that says these steps.
func in(t *testing.T, steps func(agent.Conversation) []agenttest.Step, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := functiontest.New(t, parley.Config{ProjectLife: -1})
		p := parleytest.Settings()
		p.Budgets = parley.Budgets{MessagesPerMinute: 1e6, VisitorTokens: 1e9, AddressTokens: 1e9, ProjectTokens: 1e12}
		parleytest.Put(t, k.Store, p)
		w := &world{T: t, Kit: k, table: k.Table, script: agenttest.New(steps), lag: 300 * time.Millisecond, invoked: map[string]int{}}
		w.visitor, _ = w.Visitor(t)
		w.gateway = &gateway{w: w, open: map[socket.Ref]*page{}, since: map[socket.Ref]time.Time{}}
		w.sockets = w.gateway
		w.page = &page{w: w, messages: map[string]*message{}}
		parleytest.Sweep(t, k.Store)
		w.ctx, w.stop = context.WithCancel(t.Context())
		w.work.Go(w.feed)
		test(w)
		w.stop()
		w.work.Wait()
		w.page.check()
	})
}

// feed rings the bells of what changes, as often as the stream is asked.
func (w *world) feed() {
	seen, err := w.Table.Changes(w.Context(), 0, 10000)
	if err != nil {
		w.Error(err)
	}
	after := uint64(len(seen))
	if len(seen) > 0 {
		after = seen[len(seen)-1].Seq
	}
	call := func(_ context.Context, e push.Event) error {
		w.work.Go(func() { w.push(e) })
		return nil
	}
	handle := feed.New(feed.Config{Log: slog.New(slog.DiscardHandler), Bells: []feed.Bell{push.Bell(call), push.PageBell(call)}})
	for w.ctx.Err() == nil {
		w.pause(50 * time.Millisecond)
		changes, err := w.Table.Changes(context.WithoutCancel(w.ctx), after, 1000)
		if err != nil {
			w.Error(err)
			return
		}
		if len(changes) == 0 {
			continue
		}
		after = changes[len(changes)-1].Seq
		w.work.Go(func() {
			w.pause(w.lag)
			for batch := range slices.Chunk(changes, 10) {
				records := make([]feed.Record, len(batch))
				for i, c := range batch {
					records[i] = feed.Record{ID: fmt.Sprint(c.Seq), Change: c.Change}
				}
				if failed := handle(context.WithoutCancel(w.ctx), records); failed != "" {
					w.Errorf("the feed failed at %s", failed)
				}
			}
		})
	}
}

// pause waits, but not beyond the end of the test.
func (w *world) pause(d time.Duration) {
	select {
	case <-w.ctx.Done():
	case <-time.After(d):
	}
}

func (w *world) count(function string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.invoked[function]++
}

// process is one process of a function, which may die after so many calls to the
// table and to the gateway.
type process struct {
	w      *world
	mu     sync.Mutex
	steps  int
	diesAt int // 0 never
	after  bool
	dead   bool
	died   time.Time
}

var errDead = errors.New("the process is dead")

// step does one thing, unless the process dies before or is dead.
func (p *process) step(do func() error) error {
	p.mu.Lock()
	p.steps++
	dies := p.steps == p.diesAt
	if dies {
		p.dead, p.died = true, time.Now()
	}
	if p.dead && !(dies && p.after) {
		p.mu.Unlock()
		return errDead
	}
	p.mu.Unlock()
	err := do()
	if dies {
		return errDead
	}
	return err
}

// death is when the process died, if it did.
func (p *process) death() (at time.Time, dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.died, p.dead
}

// mortalTable is the table as a process sees it.
type mortalTable struct {
	table.Table
	p *process
}

func (t mortalTable) Get(ctx context.Context, consistent bool, keys ...table.Key) (items []table.Item, err error) {
	err = t.p.step(func() error { items, err = t.Table.Get(ctx, consistent, keys...); return err })
	return items, err
}

func (t mortalTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = t.p.step(func() error { page, err = t.Table.Query(ctx, q); return err })
	return page, err
}

func (t mortalTable) Write(ctx context.Context, actions ...table.Action) error {
	return t.p.step(func() error { return t.Table.Write(ctx, actions...) })
}

// Post, Close and Active make the process the gateway's client.
func (p *process) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	return p.step(func() error { return p.w.sockets.Post(ctx, to, frame) })
}

func (p *process) Close(ctx context.Context, to socket.Ref) error {
	return p.step(func() error { return p.w.sockets.Close(ctx, to) })
}

func (p *process) Active(ctx context.Context, to socket.Ref) (time.Time, error) {
	p.w.Error("neither push nor respond has the right to ask when a client was heard")
	return time.Time{}, errDead
}

// live returns who tells pages in a process.
func (p *process) live() (*live.Live, *parley.Store) {
	store := parleytest.Store(p.w, parley.Config{Table: mortalTable{p.w.table, p}, Derive: p.w.Keys.Derive, ProjectLife: -1})
	l, err := live.New(live.Config{Store: store, Poster: p, Speakers: live.Speakers(), Keyed: keyed(), Files: "https://files.example", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.w.Fatal(err)
	}
	return l, store
}

// process is the next of those that take makes, one that does not die without one.
func (w *world) process(take *func() *process) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if take != nil && *take != nil {
		if p := (*take)(); p != nil {
			return p
		}
	}
	return &process{w: w}
}

// in has a function's next processes made by make.
func (w *world) in(function *func() *process, make func() *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*function = make
}

// push is one invocation of the function push, with the retries of Lambda.
func (w *world) push(e push.Event) {
	w.count("push")
	for range 3 {
		p := w.process(&w.pusher)
		l, _ := p.live()
		err := push.New(push.Config{Live: l})(context.WithoutCancel(w.ctx), e)
		if err == nil {
			return
		}
		if _, dead := p.death(); !dead && !w.refuses {
			w.Errorf("push = %v", err)
		}
		w.pause(time.Minute)
	}
}

// respond is one invocation of the function respond.
func (w *world) respond(ref parley.RunRef) {
	w.count("respond")
	p := w.process(&w.responder)
	l, store := p.live()
	turns := new(respond.Turns)
	engine, err := run.New(run.Config{Store: store, Respond: turns.Ask, Log: slog.New(slog.DiscardHandler),
		Agent: func(*parley.Project, parley.AgentSettings) (agent.Agent, error) { return w.script, nil },
		Live:  l.Run})
	if err != nil {
		w.Error(err)
		return
	}
	err = respond.New(respond.Config{Engine: engine, Turns: turns})(context.WithoutCancel(w.ctx), respond.EventOf(ref))
	if _, dead := p.death(); err != nil && !dead {
		w.Errorf("respond = %v", err)
	}
}

// ask invokes respond.
func (w *world) ask(ref parley.RunRef) {
	if ref.Run != "" {
		w.work.Go(func() { w.respond(ref) })
	}
}

// sweep sweeps every minute for a while.
func (w *world) sweep(d time.Duration) {
	for ; d > 0; d -= time.Minute {
		time.Sleep(time.Minute)
		_, err := w.Store.Sweep(w.Context(), parley.SweepHelp{
			Revive: func(ctx context.Context, ref parley.RunRef) error {
				d, err := run.NewDispatcher(run.Config{Store: w.Store, Respond: func(_ context.Context, ref parley.RunRef) error { w.ask(ref); return nil }})
				if err != nil {
					return err
				}
				return d.Revive(ctx, ref)
			},
			Wake: func(_ context.Context, f parley.Following) error {
				if f.Follower == parley.FollowerPush {
					w.work.Go(func() { w.push(push.EventOf(f)) })
				}
				return nil
			}})
		if err != nil {
			w.Errorf("sweep: %v", err)
		}
	}
}

// connect connects the page to the session, as a client does that comes back.
func (w *world) connect() socket.Ref {
	w.Helper()
	w.gateway.mu.Lock()
	w.gateway.made++
	ref := socket.Ref{API: "chathub", ID: fmt.Sprintf("c%d=", w.gateway.made)}
	w.gateway.open[ref], w.gateway.since[ref] = w.page, time.Now()
	w.gateway.mu.Unlock()
	c := parley.Connection{Ref: ref, Project: "demo", Channel: parley.ChannelChatHub, Caller: w.visitor, Session: session}
	if err := w.Store.Connect(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	c, err := w.Store.ConnectionOf(w.Context(), ref)
	if err != nil {
		w.Fatal(err)
	}
	c.Caller.Project = "demo"
	was, err := w.Store.Attach(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	if heard, err := w.gateway.Active(w.Context(), was.Connection); err == nil {
		if err := w.Store.NoteHeard(w.Context(), c, was, heard.Add(-live.Unsure)); err != nil {
			w.Fatal(err)
		}
	}
	if was.Connection.ID != "" {
		w.work.Go(func() { w.push(push.Event{Project: "demo", Session: session}) })
	}
	return ref
}

// leave cuts a connection off; with told, its end is known.
func (w *world) leave(ref socket.Ref, told bool) {
	w.Helper()
	w.gateway.cut(ref)
	if told {
		if err := w.Store.Disconnect(w.Context(), ref, false); err != nil {
			w.Fatal(err)
		}
	}
}

// send stores a message and asks for its reply.
func (w *world) send(id parley.EntryID) parley.Sent {
	w.Helper()
	sent := parleytest.Send(w, w.sender(), w.visitor, parley.SendRequest{ID: id, Session: session, Begins: len(w.sent) == 0,
		Channel: parley.ChannelChatHub, Content: "Hello " + string(id), IfBusy: parley.BusyQueue})
	w.sent = append(w.sent, id)
	if sent.Pending {
		w.ask(sent.Ref)
	}
	return sent
}

// sender is the store of the process that takes messages, a warm one.
func (w *world) sender() *parley.Store {
	if w.taker == nil {
		w.taker = parleytest.Store(w, parley.Config{Table: w.table, Derive: w.Keys.Derive, ProjectLife: -1})
	}
	return w.taker
}

// gateway holds connections, and gives their pages what it takes.
type gateway struct {
	w    *world
	mu   sync.Mutex
	open map[socket.Ref]*page
	// since is when connections were made.
	since map[socket.Ref]time.Time
	made  int
	// posts counts what was posted. takes is how long a post takes.
	posts int
	takes time.Duration
	// fault, if set, is asked what becomes of the post of a number, from 1: whether the
	// page gets it, and what its sender is told.
	fault func(n int, to socket.Ref, frame []byte) (arrives bool, err error)
}

func (g *gateway) cut(to socket.Ref) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, to)
}

// Close and Active make the gateway a socket.Poster, with Post.
func (g *gateway) Close(_ context.Context, to socket.Ref) error { g.cut(to); return nil }

func (g *gateway) Active(_ context.Context, to socket.Ref) (time.Time, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[to] == nil {
		return time.Time{}, socket.ErrGone
	}
	return g.since[to], nil // its client says nothing more
}

func (g *gateway) Post(ctx context.Context, to socket.Ref, frame []byte) error {
	if err := socket.CheckFrame(frame); err != nil {
		return err
	}
	if sleepFor(ctx, g.takes) != nil {
		return ctx.Err()
	}
	g.mu.Lock()
	g.posts++
	page, open := g.open[to]
	arrives, err := true, error(nil)
	if g.fault != nil {
		arrives, err = g.fault(g.posts, to, frame)
	}
	if !open {
		arrives, err = false, socket.ErrGone
	}
	g.mu.Unlock()
	if arrives {
		page.take(frame)
	}
	return err
}

func sleepFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// page is what a client shows that appends what it is sent, with what it may never
// see. It stays the same page over all its connections.
type page struct {
	w        *world
	mu       sync.Mutex
	messages map[string]*message
	order    []string
	typing   bool
	// deaf says that it may have lost the last frame of a message for a while.
	deaf bool
	log  []string // what it was told, in short
}

type message struct {
	chunks []string
	last   time.Time // when the last of them came
	finals []string
	at     time.Time // when the first final came
}

// text is what the chunks of a message say together.
func (m *message) text() string { return strings.Join(m.chunks, "") }

func (p *page) take(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole, ended := bytes.CutSuffix(frame, []byte{0x1e})
	if !ended {
		p.w.Errorf("frame %q does not end with a record separator", frame)
	}
	records := bytes.Split(whole, []byte{0x1e})
	for _, record := range records {
		p.record(record, len(records))
	}
}

func (p *page) record(record []byte, inFrame int) {
	var r struct {
		Type      int
		Target    string
		Arguments []struct {
			MessageID, Content string
			IsChunk, IsFinal   bool
			IsTyping           bool
			Code, Reason       string
			Timestamp          time.Time
		}
	}
	if err := json.Unmarshal(record, &r); err != nil || r.Type == 1 && len(r.Arguments) != 1 {
		p.w.Errorf("record %s: %v", record, err)
		return
	}
	if r.Type == 7 {
		p.log = append(p.log, "close")
		return
	}
	switch a := r.Arguments[0]; r.Target {
	case "TypingIndicator":
		p.typing = a.IsTyping
		p.log = append(p.log, fmt.Sprint("typing ", a.IsTyping))
	case "Error":
		p.log = append(p.log, "error "+a.Code)
	case "ConversationEnded":
		p.log = append(p.log, "ended "+a.Reason)
	case "MessageReceived":
		if a.IsChunk == a.IsFinal || a.Timestamp.IsZero() {
			p.w.Errorf("message %s", record)
		}
		p.message(a.MessageID, a.Content, a.IsFinal, inFrame)
	default:
		p.w.Errorf("event %q", r.Target)
	}
}

func (p *page) message(id, content string, final bool, inFrame int) {
	m := p.messages[id]
	if m == nil {
		m = &message{}
		p.messages[id] = m
		p.order = append(p.order, id)
	}
	if final {
		m.finals = append(m.finals, content)
		if m.at.IsZero() {
			m.at = time.Now()
		}
		if len(m.chunks) > 0 && m.at.Sub(m.last) < live.FinalGap {
			p.w.Errorf("the final of %s came %v after its last chunk", id, m.at.Sub(m.last))
		}
		p.log = append(p.log, "final")
		return
	}
	switch {
	case len(m.finals) > 0:
		p.w.Errorf("a chunk of %s came after its final", id)
	case content == "" || !utf8.ValidString(content) || strings.Contains(content, "\uFFFD") || len(content) > live.MaxPiece:
		p.w.Errorf("chunk %q", content)
	case inFrame > 1:
		p.w.Error("a chunk shares its frame")
	}
	for _, other := range p.messages {
		if !p.deaf && other != m && len(other.chunks) > 0 && len(other.finals) == 0 {
			p.w.Errorf("a chunk of %s came before another message was over", id)
		}
	}
	m.chunks, m.last = append(m.chunks, content), time.Now()
	if len(p.log) == 0 || p.log[len(p.log)-1] != "chunks" {
		p.log = append(p.log, "chunks")
	}
}

// check fails the test where text was given twice: the chunks of a message have to
// stand in its text one after the other, as no word of a text that tests use comes
// twice. Between them some may be missing.
func (p *page) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, m := range p.messages {
		rest := text
		if len(m.finals) > 0 {
			rest = m.finals[0]
		}
		for _, chunk := range m.chunks {
			_, after, found := strings.Cut(rest, chunk)
			if !found {
				p.w.Errorf("%s was given %q twice, or out of its turn: %q", id, chunk, m.chunks)
				break
			}
			rest = after
		}
	}
}

// wants fails the test unless the page was told exactly this.
func (p *page) wants(want ...string) {
	p.w.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.log, want) {
		p.w.Errorf("the page was told %q, want %q", p.log, want)
	}
}

// has is what the page has of a message by now.
func (p *page) has(id string) message {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.messages[id]
	if m == nil {
		return message{}
	}
	now := *m
	now.chunks, now.finals = slices.Clone(m.chunks), slices.Clone(m.finals)
	return now
}

// whole fails the test unless the n-th message arrived whole: its chunks are its final.
func (p *page) whole(n int, text string) {
	p.w.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n >= len(p.order) {
		p.w.Errorf("%d messages came", len(p.order))
		return
	}
	m := p.messages[p.order[n]]
	if m.text() != text || len(m.finals) != 1 || m.finals[0] != text {
		p.w.Errorf("message %d: chunks %.200q, finals %.200q, want %.200q", n, m.chunks, m.finals, text)
	}
}

// words returns a text of n words, of which none comes twice.
func words(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%03d ", i)
	}
	return b.String()
}

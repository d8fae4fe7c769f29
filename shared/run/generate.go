package run

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/parley"
)

// runner generates one run that it has claimed.
type runner struct {
	*Engine
	writer
	claim *Claim
	feed  *feed
	// reply is all text that is durable in the log.
	reply strings.Builder
	in    *inbox
	first time.Time // when the first text was flushed
	conv  agent.Conversation
	tools *toolbox
}

// generate runs to the end, whatever becomes of its readers. ctx carries the
// deadline of the process; cancelling it is dying.
func (e *Engine) generate(ctx context.Context, claim *Claim, f *feed) {
	r := &runner{Engine: e, claim: claim, feed: f,
		writer: writer{engine: e, ref: claim.Ref, epoch: claim.Epoch, next: claim.Next, last: e.Now()}}
	defer f.close()
	usage, err := r.run(ctx)
	r.settle(ctx, usage)
	switch {
	case err == nil, errors.Is(err, errFenced), errors.As(err, new(*endedError)):
	case errors.Is(err, parley.ErrConflict), errors.Is(err, parley.ErrNotFound):
	default:
		e.Log.Error("run", "project", claim.Ref.Project, "error", err)
	}
}

// storeMargin is what of the process's deadline is kept for storing the end.
const storeMargin = 2 * time.Second

// run returns what the reply used, and an error if the run was not ended by
// this runner.
func (r *runner) run(ctx context.Context) (agent.Usage, error) {
	if err := r.prepare(ctx); err != nil {
		return agent.Usage{}, err
	}
	who, text, err := r.who(ctx)
	if err != nil {
		return agent.Usage{}, r.fail(ctx, text, err)
	}
	limit := r.MaxRun
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-storeMargin)
	}
	ask, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.in = newInbox(r.claim.Session.Channel.MaxReplyBytes())
	go r.in.collect(func() (agent.Result, error) { return who.Reply(ask, r.conv, r.in.add) })
	result, replyErr, err := r.relay(ctx)
	if err == nil {
		err = r.end(ctx, result, replyErr)
	} else {
		r.in.stop()
		cancel()
		<-r.in.done
		result, replyErr = r.in.outcome()
	}
	if replyErr != nil && result.Usage == (agent.Usage{}) {
		result.Usage = agent.Usage{Input: agent.EstimateTokens(r.conv), Output: r.reply.Len() / 4, Estimated: true}
	}
	return result.Usage, err
}

// who returns the agent to ask, or why none may be asked and what to say then.
func (r *runner) who(ctx context.Context) (who agent.Agent, text string, err error) {
	if errors.Is(r.claim.denied, parley.ErrLimit) {
		return nil, parley.TextBudgetSpent, r.claim.denied
	}
	if r.claim.denied != nil {
		return nil, parley.TextApology, r.claim.denied
	}
	p, settings, err := r.agentOf(ctx)
	if err == nil {
		who, err = r.Agent(p, settings)
	}
	return who, parley.TextApology, err
}

// prepare reads what the claimer had not read, and reserves what the sender had not.
func (r *runner) prepare(ctx context.Context) error {
	c := r.claim
	if c.Session == nil {
		var err error
		if c.Context, err = r.store.ReadRun(ctx, c.Ref, c.First.Seq); err != nil {
			return err
		}
	}
	p, settings, err := r.agentOf(ctx)
	if err != nil {
		return err
	}
	if c.reservation == nil && c.denied == nil {
		c.reservation, c.denied = r.store.Reserve(ctx, p, c.First.Address, settings)
	}
	if retry := c.First.Of != parley.EntryID(c.Ref.Run); c.First.Extras && c.Extras.Empty() || retry {
		if c.Extras, err = r.store.Extras(ctx, c.Ref, c.First.Of); err != nil {
			return err
		}
	}
	if c.Contact == nil {
		contact, err := r.store.Vouched(ctx, c.Session)
		if err != nil {
			return err
		}
		c.Contact = &contact
	}
	r.tools = &toolbox{runner: r, project: p}
	r.conv = conversation(p, settings, c)
	r.conv.Tools, r.conv.Use = r.tools.tools(c.Session), r.tools.use
	return nil
}

func (r *runner) agentOf(ctx context.Context) (*parley.Project, parley.AgentSettings, error) {
	p, err := r.store.Project(ctx, r.ref.Project)
	if err != nil {
		return nil, parley.AgentSettings{}, err
	}
	settings, err := p.Answering(r.claim.Session)
	return p, settings, err
}

// relay appends what the agent says until it has said everything. replyErr is
// the agent's error, err that the run is no longer this runner's.
func (r *runner) relay(ctx context.Context) (result agent.Result, replyErr, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := r.Now()
		wait := r.last.Add(r.Beat).Sub(now)
		if r.in.waiting() {
			wait = r.nextFlush().Sub(now)
		}
		timer.Reset(max(wait, 0))
		select {
		case <-ctx.Done():
			return result, nil, errFenced
		case <-r.in.news:
		case <-timer.C:
		}
		if err := r.record(ctx); err != nil {
			return result, nil, err
		}
		text, done := r.in.peek()
		if done {
			result, replyErr = r.in.outcome()
			return result, replyErr, nil
		}
		now = r.Now()
		switch {
		case text && !now.Before(r.nextFlush()):
			err = r.flush(ctx)
		case !text && now.Sub(r.last) >= r.Beat:
			err = r.append(ctx, parley.LogEntry{Kind: parley.LogBeat})
		}
		if err != nil {
			return result, nil, err
		}
	}
}

// record makes durable what the agent wants to be, and lets it go on.
func (r *runner) record(ctx context.Context) error {
	for _, k := range r.in.wanted() {
		err := r.append(ctx, k.entry)
		k.done <- err
		if err != nil {
			return err
		}
	}
	return nil
}

// nextFlush is when collected text becomes an entry: the first at once.
func (r *runner) nextFlush() time.Time {
	if r.first.IsZero() {
		return time.Time{}
	}
	return r.last.Add(r.Flush(r.last.Sub(r.first)))
}

// flush makes collected text durable, in one entry, and only then offers it to
// readers. What comes meanwhile waits for the next.
func (r *runner) flush(ctx context.Context) error {
	text := r.in.take(parley.MaxChunkBytes)
	if err := r.append(ctx, parley.LogEntry{Kind: parley.LogText, Text: text}); err != nil {
		return err
	}
	if r.first.IsZero() {
		r.first = r.last
	}
	r.reply.WriteString(text)
	r.feed.text(text)
	return nil
}

// end stores the reply. A reply that failed keeps the text it has.
func (r *runner) end(ctx context.Context, result agent.Result, replyErr error) error {
	rest := strings.ToValidUTF8(r.in.rest(), "\uFFFD")
	for len(rest) > parley.MaxChunkBytes {
		n := cutAt(rest, parley.MaxChunkBytes)
		if err := r.append(ctx, parley.LogEntry{Kind: parley.LogText, Text: rest[:n]}); err != nil {
			return err
		}
		r.reply.WriteString(rest[:n])
		r.feed.text(rest[:n])
		rest = rest[n:]
	}
	e := parley.End{Status: parley.StatusDone, Unflushed: rest, Text: r.reply.String() + rest,
		Truncated: result.Truncated, Handover: result.Handover || r.tools.handover != "",
		HandoverReason: cmp.Or(r.tools.handover, result.Reason), Goodbye: result.Goodbye, LikelyResolved: result.LikelyResolved,
		Calls: r.tools.calls, Mode: r.tools.mode}
	for _, source := range result.Sources {
		e.Sources = append(e.Sources, parley.Source{Title: source.Title, URL: source.URL})
	}
	switch {
	case replyErr != nil && e.Text == "":
		return r.fail(ctx, parley.TextApology, replyErr)
	case replyErr != nil:
		r.complain(ctx, replyErr)
		e.Status, e.Reason, e.Goodbye, e.LikelyResolved = parley.StatusIncomplete, replyErr.Error(), false, false
		e.Handover, e.HandoverReason = r.tools.handover != "", r.tools.handover
	case e.Text == "" && !e.Handover && !asksForm(e.Calls):
		return r.fail(ctx, parley.TextApology, errEmpty)
	}
	return r.finish(ctx, e)
}

func asksForm(calls []parley.ActionCall) bool {
	return slices.ContainsFunc(calls, func(c parley.ActionCall) bool { return c.Form != nil })
}

var errEmpty = errors.New("the agent said nothing")

// fail ends a run that has no text with a sentence of Parley's own.
func (r *runner) fail(ctx context.Context, text string, reason error) error {
	p, err := r.store.Project(ctx, r.ref.Project)
	if err != nil {
		return err
	}
	r.complain(ctx, reason)
	said := p.Say(text, r.claim.Session.Language)
	e := parley.End{Status: parley.StatusFailed, System: true, Text: said, Unflushed: said, Reason: reason.Error()}
	if r.tools != nil {
		e.Calls, e.Handover, e.HandoverReason = r.tools.calls, r.tools.handover != "", r.tools.handover
	}
	return r.finish(ctx, e)
}

// complain tells the log why a reply failed: as an error where the provider
// refuses, which does not pass by itself.
func (r *runner) complain(ctx context.Context, reason error) {
	level := slog.LevelWarn
	if errors.Is(reason, agent.ErrProvider) {
		level = slog.LevelError
	}
	r.Log.LogAttrs(ctx, level, "reply failed", slog.String("project", string(r.ref.Project)), slog.String("reason", reason.Error()))
}

// endTries bounds how often an end is tried before the run is left to whoever
// finds it dead.
const endTries = 10

// finish ends the run, against entries that others append meanwhile.
func (r *runner) finish(ctx context.Context, e parley.End) error {
	e.Of = r.claim.First.Of
	session := r.claim.Session
	for range endTries {
		e.Next = r.next
		ended, err := r.store.EndRun(ctx, r.ref, session, e)
		var s *parley.Standing
		switch {
		case err == nil:
			r.feed.finish(e.Unflushed, &End{Status: ended.Status, Entry: &ended.Entry, Session: ended.Session})
			r.Ask(ctx, ended.Next)
			return nil
		case errors.As(err, &s), errors.Is(err, parley.ErrConflict), errors.Is(err, parley.ErrNotFound):
			return errors.Join(errFenced, err)
		case !errors.Is(err, parley.ErrUnavailable):
			return err
		}
		if ctx.Err() != nil {
			return errFenced
		}
		session = nil
	}
	return errFenced
}

// settle gives back what the run did not use of the budgets.
func (r *runner) settle(ctx context.Context, used agent.Usage) {
	tokens := int64(used.Input + used.Output)
	r.claim.reservation.Release(tokens)
	if err := r.store.Settle(ctx, r.ref.Project, r.claim.First, tokens); err != nil {
		r.Log.Warn("budget not settled", "project", r.ref.Project, "error", err)
	}
}

// cutAt returns the longest prefix length of at most n bytes that ends at a code point.
func cutAt(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

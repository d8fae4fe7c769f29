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

// runner generates one run that it has claimed: it asks the agent, and appends
// what comes to the run's log.
type runner struct {
	*Engine
	logWriter
	claim *Claim
	live  *liveText
	ended <-chan struct{} // see parley.Store.WatchEnd
	// reply is the text that is in the log.
	reply  strings.Builder
	buffer *replyBuffer
	first  time.Time // when the first text was flushed
	// status is how this runner ended the run, "" if it did not, and failure why it was
	// not as it should be.
	status  parley.RunStatus
	failure string
	conv    agent.Conversation
	tools   *toolbox
}

// generate generates the run to its end, whatever becomes of its readers. ctx
// carries the deadline of the process. When it ends the runner simply stops, as
// if it had died.
func (e *Engine) generate(ctx context.Context, claim *Claim, live *liveText) {
	r := &runner{Engine: e, claim: claim, live: live,
		logWriter: logWriter{engine: e, ref: claim.Ref, epoch: claim.Epoch, next: claim.Next, last: e.Now()}}
	defer live.close()
	ended, forget := e.store.WatchEnd(claim.Ref)
	defer forget()
	r.ended = ended
	usage, err := r.run(ctx)
	r.settleBudget(ctx, usage)
	r.logReply(ctx, usage)
	switch {
	case err == nil, errors.Is(err, errFenced), errors.As(err, new(*endedError)):
	case errors.Is(err, parley.ErrConflict), errors.Is(err, parley.ErrNotFound):
	default:
		e.Log.Error("run", "project", claim.Ref.Project, "error", err)
	}
}

// storeMargin is kept free before the process's deadline, to store how the run
// ended.
const storeMargin = 2 * time.Second

// run returns the tokens that the reply used, and an error where this runner did
// not end the run itself.
func (r *runner) run(ctx context.Context) (agent.Usage, error) {
	if err := r.prepare(ctx); err != nil {
		return agent.Usage{}, err
	}
	who, text, err := r.chooseAgent()
	if err != nil {
		return agent.Usage{}, r.fail(ctx, text, err)
	}
	limit := r.MaxRun
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-storeMargin)
	}
	replyCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.buffer = newReplyBuffer(r.claim.Session.Channel)
	images := newImageFilter(r.tools.project.OwnsHost, r.buffer.add)
	go r.buffer.collect(func() (agent.Result, error) {
		result, err := who.Reply(replyCtx, r.conv, images.write)
		if rest := images.close(); err == nil {
			err = rest
		}
		return result, err
	})
	result, replyErr, err := r.appendReply(ctx)
	if err == nil {
		err = r.end(ctx, result, replyErr)
	} else {
		r.buffer.stop()
		cancel()
		<-r.buffer.done
		result, replyErr = r.buffer.returned()
	}
	if replyErr != nil && result.Usage == (agent.Usage{}) {
		result.Usage = agent.Usage{Input: agent.EstimateTokens(r.conv), Output: r.reply.Len() / 4, Estimated: true}
	}
	return result.Usage, err
}

// chooseAgent returns the agent to ask; or, as an error, why none is asked, and
// the key of the text that the visitor gets instead.
func (r *runner) chooseAgent() (who agent.Agent, text string, err error) {
	if errors.Is(r.claim.denied, parley.ErrLimit) {
		return nil, parley.TextBudgetSpent, r.claim.denied
	}
	if r.claim.denied != nil {
		return nil, parley.TextApology, r.claim.denied
	}
	who, err = r.Agent(r.claim.project, r.claim.settings)
	return who, parley.TextApology, err
}

// prepare completes the claim and makes the agent's conversation of it.
func (r *runner) prepare(ctx context.Context) error {
	c := r.claim
	if err := c.complete(ctx, r.Engine); err != nil {
		return err
	}
	r.tools = &toolbox{runner: r, project: c.project}
	r.conv = conversation(c)
	r.conv.Tools, r.conv.Use = r.tools.tools(c.Session, c.settings), r.tools.use
	return nil
}

// appendReply logs the agent's text in flushes, its entries at once, and a beat
// where it is silent, until the agent is done. replyErr is the agent's error;
// err means that this runner has lost the run.
func (r *runner) appendReply(ctx context.Context) (result agent.Result, replyErr, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := r.Now()
		wait := r.last.Add(r.Beat).Sub(now)
		if r.buffer.hasText() {
			wait = r.nextFlush().Sub(now)
		}
		timer.Reset(max(wait, 0))
		select {
		case <-ctx.Done():
			return result, nil, errFenced
		case <-r.ended: // at once, though there is no text yet that would meet the end
			return result, nil, errFenced
		case <-r.buffer.news:
		case <-timer.C:
		}
		if err := r.appendPending(ctx); err != nil {
			return result, nil, err
		}
		text, done := r.buffer.peek()
		if done {
			result, replyErr = r.buffer.returned()
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

// appendPending logs the entries that the agent asked for, each of which it
// waits for.
func (r *runner) appendPending(ctx context.Context) error {
	for _, k := range r.buffer.takePending() {
		err := r.append(ctx, k.entry)
		k.done <- err
		if err != nil {
			return err
		}
	}
	return nil
}

// nextFlush is when the collected text becomes an entry. The first text is
// flushed at once, for a visitor waits to see something.
func (r *runner) nextFlush() time.Time {
	if r.first.IsZero() {
		return time.Time{}
	}
	return r.last.Add(r.Flush(r.last.Sub(r.first)))
}

// flush logs the collected text as one entry, and only then shows it to readers:
// what anybody has seen must survive a crash.
func (r *runner) flush(ctx context.Context) error {
	text, came := r.buffer.takeText(parley.MaxChunkBytes)
	if err := r.append(ctx, parley.LogEntry{Kind: parley.LogText, Text: text}); err != nil {
		return err
	}
	if r.first.IsZero() {
		r.first = r.last
	}
	r.reply.WriteString(text)
	r.live.add(text, inRhythm(came, time.Now(), r.Flush(r.last.Sub(r.first))))
	return nil
}

// end ends the run with the reply. Where the agent failed in the middle, the
// text so far is kept and marked as incomplete; where it failed before any text,
// an apology stands in its place.
func (r *runner) end(ctx context.Context, result agent.Result, replyErr error) error {
	rest := strings.ToValidUTF8(r.buffer.rest(), "\uFFFD")
	for len(rest) > parley.MaxChunkBytes {
		n := cutAt(rest, parley.MaxChunkBytes)
		if err := r.append(ctx, parley.LogEntry{Kind: parley.LogText, Text: rest[:n]}); err != nil {
			return err
		}
		r.reply.WriteString(rest[:n])
		r.live.add(rest[:n], nil)
		rest = rest[n:]
	}
	e := parley.End{Status: parley.StatusDone, Unflushed: rest, Text: r.reply.String() + rest,
		Truncated: result.Truncated, Handover: result.Handover || r.tools.handover != "",
		HandoverReason: cmp.Or(r.tools.handover, result.Reason), Goodbye: result.Goodbye, LikelyResolved: result.LikelyResolved,
		Calls: r.tools.calls, Mode: r.tools.mode}
	for _, source := range result.Sources {
		e.Sources = append(e.Sources, parley.Source{Title: source.Title, URL: source.URL})
	}
	if e.Text == "" && replyErr == nil && !asksForm(e.Calls) {
		e.Text = r.sentenceFor(e)
		e.Unflushed = e.Text
	}
	switch {
	case replyErr != nil && e.Text == "":
		return r.fail(ctx, parley.TextApology, replyErr)
	case replyErr != nil:
		r.logFailure(ctx, replyErr)
		e.Status, e.Reason, e.Goodbye, e.LikelyResolved = parley.StatusIncomplete, replyErr.Error(), false, false
		e.Handover, e.HandoverReason = r.tools.handover != "", r.tools.handover
	case e.Text == "" && !asksForm(e.Calls):
		return r.fail(ctx, parley.TextApology, errEmpty)
	}
	return r.finish(ctx, e)
}

// sentenceFor returns what the visitor reads of a reply of which the agent only said
// how it ends, "" if it did not say even that.
func (r *runner) sentenceFor(e parley.End) string {
	switch {
	case e.Handover:
		return r.say(parley.TextHandingOver)
	case e.Goodbye:
		return r.say(parley.TextGoodbye)
	case e.LikelyResolved:
		return r.say(parley.TextSolved)
	}
	return ""
}

// say returns one of the project's own sentences in the language of the session.
func (r *runner) say(key string) string { return r.tools.project.Say(key, r.claim.Session.Language) }

func asksForm(calls []parley.ActionCall) bool {
	return slices.ContainsFunc(calls, func(c parley.ActionCall) bool { return c.Form != nil })
}

var errEmpty = errors.New("the agent said nothing")

// fail ends a run without any text of the agent, with one of the project's own
// sentences.
func (r *runner) fail(ctx context.Context, text string, reason error) error {
	r.logFailure(ctx, reason)
	said := r.say(text)
	return r.finish(ctx, parley.End{Status: parley.StatusFailed, System: true, Text: said, Unflushed: said, Reason: reason.Error(),
		Calls: r.tools.calls, Handover: r.tools.handover != "", HandoverReason: r.tools.handover})
}

// logFailure logs why a reply failed. It is an error where the provider refused,
// since that needs somebody to mend it, and a warning otherwise.
func (r *runner) logFailure(ctx context.Context, reason error) {
	level := slog.LevelWarn
	if errors.Is(reason, agent.ErrProvider) {
		level = slog.LevelError
	}
	r.Log.LogAttrs(ctx, level, "reply failed", slog.String("project", string(r.ref.Project)), slog.String("reason", reason.Error()))
	r.failure = failureOf(reason)
}

// failureOf names the kind of a failure, for who counts them.
func failureOf(reason error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{parley.ErrLimit, "budget"},
		{agent.ErrThrottled, "throttled"},
		{agent.ErrTimeout, "timeout"},
		{context.DeadlineExceeded, "timeout"}, // of the whole reply
		{agent.ErrCut, "cut"},
		{agent.ErrLoop, "loop"},
		{agent.ErrProvider, "provider"},
		{errEmpty, "empty"},
	} {
		if errors.Is(reason, kind.err) {
			return kind.name
		}
	}
	return "other"
}

// logReply writes the line of a reply that this runner ended, by which the dashboard of
// template.yaml counts. Its times begin when the message was stored.
func (r *runner) logReply(ctx context.Context, used agent.Usage) {
	if r.status == "" {
		return
	}
	since := func(t time.Time) int64 { return t.UnixMilli() - r.claim.First.At }
	attrs := []slog.Attr{slog.String("project", string(r.ref.Project)), slog.String("channel", string(r.claim.Session.Channel)),
		slog.String("status", string(r.status)), slog.Int64("replyMs", since(r.Now())), slog.Int("inputTokens", used.Input), slog.Int("outputTokens", used.Output)}
	if !r.first.IsZero() {
		attrs = append(attrs, slog.Int64("firstTextMs", since(r.first)))
	}
	if r.failure != "" {
		attrs = append(attrs, slog.String("failure", r.failure))
	}
	r.Log.LogAttrs(ctx, slog.LevelInfo, "reply", attrs...)
}

// endTries is how often ending a run is tried. After that its readers and the
// sweep find it dead and end it.
const endTries = 10

// finish ends the run. It tries again while the table is unavailable, and gives
// up once somebody else has appended to the log.
func (r *runner) finish(ctx context.Context, e parley.End) error {
	e.Of, e.Next = r.claim.First.Of, r.next
	for range endTries {
		ended, err := r.store.EndRun(ctx, r.ref, r.claim.Session, e)
		switch {
		case err == nil:
			r.status = ended.Status
			if r.first.IsZero() && !e.System && e.Text != "" { // it came with the end
				r.first = r.Now()
			}
			r.live.finish(e.Unflushed, &End{Status: ended.Status, Entry: &ended.Entry, Session: ended.Session})
			r.Ask(ctx, ended.Next)
			return nil
		case errors.As(err, new(*parley.Standing)), errors.Is(err, parley.ErrConflict), errors.Is(err, parley.ErrNotFound):
			return errors.Join(errFenced, err)
		case !errors.Is(err, parley.ErrUnavailable):
			return err
		}
		if ctx.Err() != nil {
			return errFenced
		}
	}
	return errFenced
}

// settleBudget gives back the reserved tokens that the run did not use.
func (r *runner) settleBudget(ctx context.Context, used agent.Usage) {
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

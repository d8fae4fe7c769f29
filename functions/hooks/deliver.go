package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"parley/shared/outbound"
	"parley/shared/parley"
)

// pauses are those after the attempts of one webhook that failed, by their
// number; after one more it is given up. Our choice: an endpoint that is being
// deployed loses minutes, one whose people sleep a night nothing.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 8 * time.Hour, 12 * time.Hour}

const (
	// MaxAttempts is how often one webhook is tried, within 24 hours and 21 minutes.
	MaxAttempts = 8
	// MaxAge is how old what happened may be for another attempt: what waits
	// behind webhooks that failed is tried at least once, and then not for another
	// day. So an endpoint that is gone keeps nothing waiting for ever.
	MaxAge = 24 * time.Hour
	// AttemptTime bounds one attempt.
	AttemptTime = 10 * time.Second
	// attemptReserve is the time that must be left to begin one.
	attemptReserve = AttemptTime + 2*time.Second
)

// worker delivers to one endpoint what happened in one session.
type worker struct {
	Config
	parley.Following
	hook   parley.Hook
	state  parley.HookState
	counts counts
}

func (w *worker) done() tally { return tally{webhooks: w.counts} }

// errNoTime says that the rest has to be done by another invocation.
var errNoTime = errors.New("no time is left for another attempt")

// stretch delivers a stretch and returns the entry up to which nothing is left
// to deliver.
func (w *worker) stretch(ctx context.Context, s parley.Stretch) (parley.Seq, error) {
	wanted, err := w.read(ctx)
	if err != nil {
		return s.After, err
	}
	if !wanted {
		return s.Entries[len(s.Entries)-1].Seq, nil
	}
	done, asked := s.After, false
	for _, d := range deliveries(s) {
		if !w.due(d) {
			done = d.seq
			continue
		}
		if asked {
			if err := w.Store.Stands(ctx, w.Project, w.Session); err != nil {
				return done, err
			}
		}
		if !hasTime(ctx) {
			return done, w.noTime(done > s.After)
		}
		asked = true
		failures := 0
		if d.seq <= s.After+1 {
			failures = s.Tries
		}
		if err := w.deliver(ctx, s.Session, d, failures); err != nil {
			return done, err
		}
		done = d.seq
	}
	return done, nil
}

// noTime: what was done is written, and the next stretch goes on with a time of
// its own; where nothing was, another invocation does.
func (w *worker) noTime(done bool) error {
	if done {
		return nil
	}
	return &parley.Later{At: w.Now(), Err: errNoTime}
}

// read reads the endpoint and what stands of its way through the session; false
// means that nobody wants anything any more.
func (w *worker) read(ctx context.Context) (bool, error) {
	p, err := w.Store.Project(ctx, w.Project)
	if err != nil {
		return false, err
	}
	id, ok := parley.HookOf(w.Follower)
	if !ok {
		return false, nil
	}
	if w.hook, err = p.Hook(id); err != nil || w.hook.Disabled {
		return false, nil
	}
	w.state, err = w.Store.HookState(ctx, w.Project, w.Session, id)
	return true, err
}

// due reports whether the endpoint gets this: what it wants, from its beginning
// on, or from before that where somebody asked for it.
func (w *worker) due(d delivery) bool {
	return w.hook.Wants(d.event) && (d.at >= w.hook.Since || w.replayed(d))
}

func (w *worker) replayed(d delivery) bool { return w.state.ReplayAt > 0 && d.seq <= w.state.Replay }

func hasTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > attemptReserve
}

// deliver makes one attempt. A nil error means that nothing is left to do for
// this webhook: it was taken, or given up.
func (w *worker) deliver(ctx context.Context, session *parley.Session, d delivery, failures int) error {
	body, err := w.body(session, d)
	if err != nil {
		return err
	}
	began := w.Now()
	final, err := w.post(ctx, d, body)
	if ctx.Err() != nil && err != nil {
		return ctx.Err() // this function's time is over, which is not the endpoint's fault
	}
	retry := err != nil && !final && failures < len(pauses) && w.age(d) < MaxAge
	w.log(ctx, d, failures+1, began, retry, err)
	switch {
	case err == nil:
		w.counts.delivered++
		if w.state.Failed[d.seq] {
			return w.Store.UnfailHook(ctx, w.Project, w.Session, w.hook.ID, d.seq)
		}
		return nil
	case retry:
		w.counts.retried++
		return &parley.Later{At: w.Now().Add(pauses[failures]), Err: err}
	}
	w.counts.failed++
	return w.Store.FailHook(ctx, w.Project, parley.FailedHook{Hook: w.hook.ID, Session: w.Session, Seq: d.seq, Event: d.event,
		Attempts: failures + 1, Reason: err.Error()})
}

// age is how long ago something happened, or somebody asked for it again.
func (w *worker) age(d delivery) time.Duration {
	at := d.at
	if w.replayed(d) {
		at = max(at, w.state.ReplayAt)
	}
	return w.Now().Sub(time.UnixMilli(at))
}

// maxDrain is how much of an answer is read, to use the connection again.
const maxDrain = 4 << 10

// post sends a webhook. An error is a sentence for operators; final says that
// another attempt is useless: the host may not be asked, or said that the
// endpoint is gone for good.
func (w *worker) post(ctx context.Context, d delivery, body []byte) (final bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, AttemptTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.hook.URL, bytes.NewReader(body))
	if err != nil { // whose text has the URL in it
		return true, errors.New("the URL is malformed")
	}
	r.Header.Set("User-Agent", "Parley-Webhooks/1")
	r.Header.Set("Idempotency-Key", DeliveryID(w.Project, w.hook.ID, w.Session, d.seq))
	r.Header.Set(SignatureHeader, Sign(w.Now(), body, w.Store.HookSecrets(w.Project, w.hook)...))
	status, final, err := w.ask(r)
	return final || status == http.StatusGone, err
}

// ask makes a request with a body of JSON. An error is a sentence for operators, and
// final that the host may not be asked; the status is 0 where it did not answer.
func (c Config) ask(r *http.Request) (status int, final bool, err error) {
	r.Header.Set("Content-Type", "application/json")
	res, err := c.Do(r)
	if err != nil {
		return 0, errors.Is(err, outbound.ErrRefused), err
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, maxDrain) // the status has said all; what the rest says does not matter
	if res.StatusCode < 200 || res.StatusCode > 299 {
		err = fmt.Errorf("answered %d", res.StatusCode)
	}
	return res.StatusCode, false, err
}

// log writes a line an attempt. What an endpoint refuses is no error of ours.
func (w *worker) log(ctx context.Context, d delivery, attempt int, began time.Time, retry bool, err error) {
	attrs := []slog.Attr{slog.String("project", string(w.Project)), slog.String("hook", string(w.hook.ID)),
		slog.String("delivery", DeliveryID(w.Project, w.hook.ID, w.Session, d.seq)), slog.String("event", string(d.event)),
		slog.Int("attempt", attempt), slog.Int64("ms", w.Now().Sub(began).Milliseconds())}
	if err != nil {
		attrs = append(attrs, slog.String("refused", err.Error()), slog.Bool("again", retry))
	}
	w.Log.LogAttrs(ctx, slog.LevelInfo, "webhook", attrs...)
}

package run_test

import (
	"context"
	"strings"

	"parley/shared/parley"
)

// check is what must be true when all is quiet.
func (w *world) check() {
	ctx := context.Background()
	session, err := w.clean.Session(ctx, w.caller, w.session)
	if err != nil {
		w.errorf("session: %v", err)
		return
	}
	if session.Run != nil || len(session.Queue) > 0 {
		w.errorf("the session is left busy: %+v, queue %+v", session.Run, session.Queue)
	}
	entries := w.entries(ctx)
	messages := map[parley.EntryID]parley.Entry{}
	outcomes := map[parley.RunID]parley.Entry{}
	human := false
	var at int64
	for i, e := range entries {
		if e.Seq != parley.Seq(i+1) || e.At <= at {
			w.errorf("entry %d has number %d and time %d after %d", i+1, e.Seq, e.At, at)
		}
		at = e.At
		switch e.Event {
		case parley.EventTakenOver, parley.EventHandedOver:
			human = true
		case parley.EventHandedBack:
			human = false
		}
		switch {
		case e.Run != "":
			if _, twice := outcomes[e.Run]; twice {
				w.errorf("run %s has two outcomes", e.Run)
			}
			outcomes[e.Run] = e
			if human && e.Status != parley.StatusTakenOver {
				w.errorf("run %s ended as %s while a human had the session", e.Run, e.Status)
			}
		case e.IsMessage():
			if _, twice := messages[e.ID]; twice {
				w.errorf("message %s is stored twice", e.ID)
			}
			messages[e.ID] = e
		}
	}
	if session.Seq != parley.Seq(len(entries)) {
		w.errorf("the session counts %d entries, there are %d", session.Seq, len(entries))
	}
	for id := range w.stored {
		if _, ok := messages[id]; !ok {
			w.errorf("message %s was accepted and is gone", id)
		}
	}
	calls := map[string]int{}
	for _, c := range w.script.Record() {
		calls[c.Conversation.Turns[len(c.Conversation.Turns)-1].Text]++
	}
	claims := map[string]int{}
	for id := range messages {
		for _, run := range []parley.RunID{parley.RunID(id), parley.RunID(id + "r")} {
			claims[string(id)] += w.checkRun(ctx, run, outcomes)
		}
	}
	for asked, n := range calls {
		if n > claims[asked] {
			w.errorf("the model was called %d times for %s, which was claimed %d times", n, asked, claims[asked])
		}
	}
	for _, r := range w.readers {
		w.checkReader(r, outcomes[r.run])
	}
}

func (w *world) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
}

func (w *world) entries(ctx context.Context) []parley.Entry {
	var all []parley.Entry
	cursor := ""
	for {
		_, page, next, err := w.clean.Transcript(ctx, w.caller, w.session, parley.PageRequest{Limit: 100, Cursor: cursor})
		if err != nil {
			w.errorf("transcript: %v", err)
			return nil
		}
		all = append(page, all...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

// checkRun checks one log against what came of it, and counts its claims.
func (w *world) checkRun(ctx context.Context, id parley.RunID, outcomes map[parley.RunID]parley.Entry) (claims int) {
	log, err := w.clean.ReadLog(ctx, parley.RunRef{Project: w.caller.Project, Session: w.session, Run: id}, 0, true)
	if err != nil {
		return 0
	}
	if log[0].Kind == parley.LogNone {
		if len(log) > 1 {
			w.errorf("run %s has a log and no run", id)
		}
		return 0
	}
	outcome, ok := outcomes[id]
	if !ok {
		w.errorf("nothing came of run %s", id)
		return 0
	}
	epoch, text := "", false
	for n, l := range log {
		if (l.Kind == parley.LogEnd) != (n == len(log)-1) {
			w.errorf("run %s: entry %d of %d is a %s", id, n, len(log), l.Kind)
		}
		switch l.Kind {
		case parley.LogClaim:
			claims++
			epoch = l.By
			if text {
				w.errorf("run %s was claimed after it had text", id)
			}
		case parley.LogText:
			text = true
			if l.By != epoch {
				w.errorf("run %s: entry %d is not by who claimed it", id, n)
			}
		}
	}
	if joined := parley.Joined(log); joined != outcome.Text {
		w.errorf("run %s: the log says %q, the reply %q", id, joined, outcome.Text)
	}
	if last := log[len(log)-1]; last.Seq != outcome.Seq || last.Status != outcome.Status {
		w.errorf("run %s: the end names %d %s, the outcome is %d %s", id, last.Seq, last.Status, outcome.Seq, outcome.Status)
	}
	return claims
}

func (w *world) checkReader(r *reader, outcome parley.Entry) {
	seen := r.text.String()
	if !strings.HasPrefix(outcome.Text, seen) {
		w.errorf("a reader of %s saw %q, the reply is %q", r.run, seen, outcome.Text)
	}
	if r.end != nil && (seen != outcome.Text || r.end.Status != outcome.Status) {
		w.errorf("a reader of %s got the end %s after %q, the reply is %s %q", r.run, r.end.Status, seen, outcome.Status, outcome.Text)
	}
}

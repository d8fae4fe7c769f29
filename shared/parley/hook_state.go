package parley

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"parley/shared/table"
)

// Follower returns the name under which an endpoint follows sessions.
func (h HookID) Follower() Follower { return Follower(hookFollower + string(h)) }

// HookOf returns the endpoint that a follower is; ok is false for another one.
func HookOf(f Follower) (h HookID, ok bool) {
	id, ok := strings.CutPrefix(string(f), hookFollower)
	if !ok || id == "" {
		return "", false
	}
	return HookID(id), true
}

const hookFollower = "hook/"

// HookState is what stands, besides its mark, of an endpoint's way through a session.
type HookState struct {
	// Replay is the entry up to which somebody wanted everything again, be it
	// older than the endpoint, and ReplayAt when, in milliseconds. Zero if nobody did.
	Replay   Seq
	ReplayAt int64
	// Failed has the webhooks that were given up, by the number of their entries.
	Failed map[Seq]bool
}

// HookState reads it. One read, where few webhooks were given up.
func (s *Store) HookState(ctx context.Context, p ProjectID, id SessionID, h HookID) (HookState, error) {
	out := HookState{Failed: map[Seq]bool{}}
	from := hookKey(p, id, h)
	q := table.Query{Partition: from.PK, From: from.SK, To: from.SK + "/~", Limit: 100, Consistent: true}
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return out, err
		}
		if item.Key() == from {
			out.Replay, out.ReplayAt = Seq(item.Int("seq")), item.Int("at")
			continue
		}
		out.Failed[Seq(item.Int("seq"))] = true
	}
	return out, nil
}

// FailedHook is a webhook that was given up.
type FailedHook struct {
	Hook    HookID    `json:"hook"`
	Session SessionID `json:"session"`
	// Seq is the number of its entry, 0 for a HookStarted.
	Seq   Seq       `json:"seq"`
	Event HookEvent `json:"event"`
	// At is when it was given up, in milliseconds, after so many attempts.
	At       int64 `json:"at"`
	Attempts int   `json:"attempts"`
	// Reason is why the last of them failed: a sentence for operators.
	Reason string `json:"reason"`
}

// failedHookLife is how long it is remembered that a webhook was given up. Our
// choice: long enough for somebody to come back from a holiday.
const failedHookLife = 30 * 24 * time.Hour

// FailHook notes that a webhook was given up. ErrNotFound if the session is gone.
func (s *Store) FailHook(ctx context.Context, p ProjectID, f FailedHook) error {
	at := s.clock()
	f.At = at.UnixMilli()
	item, err := record(failedHookKey(p, f.Session, f.Hook, f.Seq), "failed webhook", f, table.Item{"seq": int64(f.Seq),
		"wp": failedHooksPartition(p, f.Hook), "ws": timeAndSession(at, f.Session), table.ExpiresAt: at.Add(failedHookLife).Unix()})
	if err != nil {
		return err
	}
	return refusedAs(s.write(ctx, table.Put(item), checkThere(p, f.Session)), errGone())
}

// UnfailHook forgets that a webhook was given up, because it was delivered since.
// The note expires instead of being deleted, which who delivers has no right to.
func (s *Store) UnfailHook(ctx context.Context, p ProjectID, id SessionID, h HookID, n Seq) error {
	up := table.Set(failedHookKey(p, id, h, n), table.Item{table.ExpiresAt: s.clock().Unix()}, table.Exists())
	up.Remove = []string{"wp", "ws"}
	return unrefused(s.write(ctx, up))
}

// FailedHooks returns the webhooks of an endpoint that were given up, newest
// first, and the cursor of the next page, "" at the end. A page may be short.
// ErrNotFound, if the project has no such endpoint.
func (s *Store) FailedHooks(ctx context.Context, c Caller, h HookID, r PageRequest) ([]FailedHook, string, error) {
	if err := cmp.Or(c.checkStaff(), r.check()); err != nil {
		return nil, "", err
	}
	now, err := s.Settings(ctx, c.Project) // past the cache: it may be new
	if err != nil {
		return nil, "", err
	}
	if _, err := now.Project.Hook(h); err != nil {
		return nil, "", err
	}
	q := table.Query{Index: table.Work, Partition: failedHooksPartition(c.Project, h), Descending: true, Limit: r.Limit}
	if r.Cursor != "" {
		var after [3]string
		if err := uncursor(r.Cursor, &after); err != nil {
			return nil, "", err
		}
		if slices.Contains(after[:], "") {
			return nil, "", errCursor()
		}
		q.Start = table.Item{table.PK: after[0], table.SK: after[1], "ws": after[2], "wp": q.Partition}
	}
	page, err := s.table.Query(ctx, q)
	if err != nil || len(page.Items) == 0 {
		return nil, "", unavailable(err)
	}
	items, err := s.getEach(ctx, len(page.Items), func(i int) table.Key { return page.Items[i].Key() })
	if err != nil {
		return nil, "", err
	}
	items = slices.DeleteFunc(items, func(i table.Item) bool { return i == nil }) // delivered since, erased or expired
	failed, err := decodeAll(items, func(item table.Item) (f FailedHook, err error) {
		err = decode(item, "failed webhook", &f)
		return f, err
	})
	next := ""
	if page.Next != nil {
		next = cursor([3]string{page.Next.String(table.PK), page.Next.String(table.SK), page.Next.String("ws")})
	}
	return failed, next, err
}

// ReplayHook has an endpoint get again what happened in a session from an entry
// on, 0 being the HookStarted, with the ids that it had the first time. The
// next sweep begins with it; whoever wakes the follower before that is faster.
//
// Errors: ErrNotFound; of kind ErrConflict, hook_disabled and, while the endpoint
// is being asked, hook_busy: try again in a minute.
func (s *Store) ReplayHook(ctx context.Context, c Caller, h HookID, id SessionID, from Seq) error {
	p, session, err := s.openToOperate(ctx, c, id)
	if err != nil {
		return err
	}
	hook, err := p.Hook(h)
	switch {
	case err != nil:
		return err
	case hook.Disabled:
		return conflict("hook_disabled", "this webhook is disabled")
	case from < 0 || from > session.Seq:
		return invalid("from", "from is 0 to the number of the session's newest entry")
	}
	w := &follow{store: s, Following: Following{p.ID, id, h.Follower()}}
	return again(func() error {
		if err := w.read(ctx, true); err != nil {
			return err
		}
		now := s.clock()
		if w.mark.until.After(now) {
			return &Error{Kind: ErrConflict, Code: "hook_busy", Text: "the webhook is being delivered to; try again later",
				RetryAfter: w.mark.until.Sub(now)}
		}
		// First what lets older entries through, then the mark that makes them due.
		replay := hookKey(p.ID, id, h).With(table.Item{"seq": int64(w.session.Seq), "at": now.UnixMilli()})
		if err := s.write(ctx, table.Put(replay), checkThere(p.ID, id)); err != nil {
			return refusedAs(err, errGone())
		}
		return w.put(ctx, progress{seq: max(from-1, 0)}, now)
	})
}

// Stands returns ErrNotFound if a session is unknown or erased.
func (s *Store) Stands(ctx context.Context, p ProjectID, id SessionID) error {
	_, err := s.head(ctx, p, id)
	return err
}

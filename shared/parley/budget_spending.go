package parley

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/shared/table"
)

// spending is what one change of a session takes of the day's bounds because a
// visitor makes it. Of the visitor's own it is taken in the transaction, in the item
// that the change has to check anyway. The address's and the project's are known to
// be used up before, or else counted when the change has been made: what is refused
// has changed nothing, and of a bound that is used up each instance lets at most one
// change pass. It lasts over all tries of the change.
type spending struct {
	store   *Store
	project *Project
	caller  Caller
	visitor table.Item // newest known, nil if unread
	shared  []dayLimit
	need    amounts // what the change stores; zero before it is known
}

// foresee reads what is left where this process has refused the caller before: a
// transaction that is refused costs as much as one that is done, and whoever has come
// to a bound may well go on.
func (s *spending) foresee(ctx context.Context) error {
	if !s.store.refusals.has(s.caller) {
		return nil
	}
	visitor, err := s.store.get(ctx, true, visitorKey(s.caller.Project, s.caller.Visitor))
	s.visitor = visitor
	return err
}

// insteadOf returns budget_spent in place of what a message to an unknown session is
// told, if the visitor can store nothing more today: then it is why the session was
// not begun, and where clients can read it. It tells nothing of sessions of others.
func (s *spending) insteadOf(ctx context.Context, unknown error) error {
	if s.caller.staff() || s.caller.Capability {
		return unknown
	}
	visitor, err := s.store.get(ctx, true, visitorKey(s.caller.Project, s.caller.Visitor))
	if err != nil {
		return err
	}
	if visitor == nil {
		return unknown
	}
	if _, err := s.store.spend(s.project, s.caller, visitor, amounts{ofCalls: 1}); errors.Is(err, ErrLimit) {
		return err
	}
	return unknown
}

// guard makes the change fail unless the caller's token stands and there is as much
// left as it stores. It has to come after everything that it stores.
func (s *spending) guard(ch *change) error {
	return s.pay(ch, 0, s.store.spend)
}

// admit is guard for what is a message: it counts against the visitor's rate too,
// of which atOnce may come without a pause, and sets tokens aside.
func (s *spending) admit(ch *change, atOnce, tokens int64) error {
	return s.pay(ch, tokens, func(p *Project, c Caller, visitor table.Item, need amounts) (table.Action, error) {
		return s.store.admit(p, c, visitor, atOnce, need)
	})
}

type payment func(p *Project, c Caller, visitor table.Item, need amounts) (table.Action, error)

func (s *spending) pay(ch *change, reserved int64, by payment) error {
	if s.caller.staff() {
		return nil
	}
	need := amounts{1, reserved, stored(ch.actions)}
	action, err := by(s.project, s.caller, s.visitor, need)
	if err != nil {
		s.store.refusals.set(s.caller, errors.Is(err, ErrLimit))
		return err
	}
	need[ofTokens] = 0 // those are set aside by whoever asks a model
	if err := s.share(need); err != nil {
		return err
	}
	s.store.refusals.set(s.caller, false)
	ch.act(action, func(stood table.Item) error {
		s.visitor = stood
		return standingOf(stood, s.caller)
	})
	return nil
}

// share refuses what is above the bounds that others share, as far as that is known.
func (s *spending) share(need amounts) error {
	s.need, s.shared = need, s.store.dayLimits(s.project, s.store.AddressHash(s.caller))
	for _, l := range s.shared {
		if err := s.store.counters.check(l.counter, l.max); err != nil {
			return budgetSpent(err)
		}
	}
	return nil
}

// count counts the change, if it has been made, against the bounds that others share.
func (s *spending) count(ctx context.Context, err error) {
	if err != nil || s.need == (amounts{}) {
		return
	}
	var all sync.WaitGroup
	for _, l := range s.shared {
		all.Go(func() { s.store.counters.charge(ctx, l.counter, s.need, usual(s.need), l.max) })
	}
	all.Wait()
}

// stored is how many bytes actions put.
func stored(actions []table.Action) int64 {
	n := 0
	for _, a := range actions {
		if a.Kind == table.PutAction {
			n += a.Item.Size()
		}
	}
	return int64(n)
}

const (
	// burst is how many messages a visitor may send at once.
	burst = 10
	// beginBurst is the same for empty sessions, which count like messages. It is more
	// because clients that begin one before they send show their visitor what a message
	// is refused for, and nothing of a session: who is too fast learns it by the message.
	beginBurst = 2 * burst
)

// The attributes of a visitor's item that say what was spent on its "day".
var spent = [len(amounts{})]string{ofCalls: "messages", ofTokens: "spent", ofBytes: "bytes"}

// admit makes the action that checks the visitor in the transaction of a message,
// counts it against the visitor's rate and takes what is needed of the day's
// bounds: all in the one item that has to be checked anyway. Without the item it
// only admits a visitor who has been silent for a moment and was seen today; the
// refusal then brings the item for a second try. atOnce is how often the visitor may
// do so without a pause: burst or beginBurst.
func (s *Store) admit(p *Project, c Caller, item table.Item, atOnce int64, need amounts) (table.Action, error) {
	now := s.clock().UnixMilli()
	interval := time.Minute.Milliseconds() / p.Budgets.WithDefaults().MessagesPerMinute
	if item == nil && c.Capability {
		return s.bear(p, c, need, interval)
	}
	paced := max(item.Int("paced"), now)
	if item != nil {
		if err := standingOf(item, c); err != nil {
			return table.Action{}, err
		}
		if early := paced - now - (atOnce-1)*interval; early > 0 {
			return table.Action{}, &Error{Kind: ErrLimit, Code: "rate_limited", Text: "too many messages; wait a moment",
				RetryAfter: time.Duration(early) * time.Millisecond}
		}
	}
	up, err := s.spend(p, c, item, need)
	if err != nil {
		return up, err
	}
	if item == nil {
		up.If = append(up.If, table.AtMost("paced", now))
	} else {
		up.If = append(up.If, table.EqualOrMissing("paced", item.Int("paced")))
	}
	if up.Set == nil {
		up.Set = table.Item{}
	}
	up.Set["paced"] = paced + interval
	return up, nil
}

// bear makes the visitor of a session that is about to begin, for callers who hold
// nothing but its id.
func (s *Store) bear(p *Project, c Caller, need amounts, interval int64) (table.Action, error) {
	now := s.clock()
	if _, over := need.above(visitorLimits(p)); over {
		return table.Action{}, errSpent(untilTomorrow(now))
	}
	v := Visitor{ID: c.Visitor, Generation: capabilityGeneration, Created: now.UnixMilli()}
	born, err := v.item(p.ID, now)
	if err != nil {
		return table.Action{}, err
	}
	born["paced"] = now.UnixMilli() + interval
	for i, name := range spent {
		born[name] = need[i]
	}
	return table.Put(born, table.Absent()), nil
}

// spend makes the action that checks the visitor and takes what is needed of the
// day's bounds. Without the item it only lets one pass who was seen today.
func (s *Store) spend(p *Project, c Caller, item table.Item, need amounts) (table.Action, error) {
	now, limits := s.clock(), visitorLimits(p)
	up := table.Update(visitorKey(c.Project, c.Visitor), standingConditions(c)...)
	had := amounts{}
	fresh := false
	if item != nil {
		if err := standingOf(item, c); err != nil {
			return up, err
		}
		if fresh = item.Int("day") != day(now); !fresh {
			for i, name := range spent {
				had[i] = item.Int(name)
			}
		}
	}
	if _, over := had.plus(need).above(limits); over {
		return up, errSpent(untilTomorrow(now))
	}
	if fresh {
		up.If = append(up.If, table.EqualOrMissing("day", item.Int("day")))
		up.Set = table.Item{"day": day(now)}
		for i, name := range spent {
			up.Set[name] = need[i]
		}
		return up, nil
	}
	up.If = append(up.If, table.Equal("day", day(now)))
	up.Add = map[string]int64{}
	for i, name := range spent {
		if need[i] > 0 {
			up.If = append(up.If, table.AtMost(name, limits[i]-need[i]))
			up.Add[name] = need[i]
		}
	}
	return up, nil
}

func visitorLimits(p *Project) amounts {
	b := p.Budgets.WithDefaults()
	return amounts{b.VisitorMessages, b.VisitorTokens, b.VisitorBytes}
}

// day numbers the days of UTC.
func day(t time.Time) int64 { return t.Unix() / 86400 }

func untilTomorrow(now time.Time) time.Duration {
	return now.Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
}

// refusals are the visitors whom a process has refused last for a bound of their own.
type refusals struct {
	mu   sync.Mutex
	last map[paced]bool
}

func (r *refusals) has(c Caller) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[paced{project: c.Project, visitor: c.Visitor}]
}

func (r *refusals) set(c Caller, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	who := paced{project: c.Project, visitor: c.Visitor}
	if !refused {
		delete(r.last, who)
		return
	}
	if r.last == nil || len(r.last) >= maxHeld {
		r.last = map[paced]bool{}
	}
	r.last[who] = true
}

package parley

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/shared/table"
)

// change is one transaction on a session: entries that get the next places in
// its order, the session's item under its revision, and whatever must happen
// together with them.
type change struct {
	store   *Store
	project *Project
	// session is a private copy; build changes it freely.
	session *Session
	// was is what stands in the table; nil for a new session.
	was   *Session
	now   time.Time
	nonce string
	moved bool // state or holder changed: the lists must follow
	// promoted is the run that got its turn and that nobody stays to generate.
	promoted RunRef
	// ended are the runs that ended, unbegun those of them with nothing in their logs
	// but entry 0.
	ended, unbegun []RunID

	actions []table.Action
	// onRefusal holds, for some actions, what their refusal means. It returns an
	// error to fail with, or nil to try again from what stands now.
	onRefusal map[int]func(standing table.Item) error
}

// errGone is what every change of an erased session gets: the answer of an unknown one.
func errGone() error { return notFound("session") }

// change commits what build makes of the session, building again on what
// stands when somebody else was faster. A nil session.Rev means a new session.
// build returns errNothing to leave everything as it is.
func (s *Store) change(ctx context.Context, p *Project, session *Session, build func(*change) error) (*Session, error) {
	nonce := s.newID()
	for range changeTries {
		if session.Erased {
			return nil, errGone()
		}
		c := &change{store: s, project: p, session: session.clone(), now: s.clock(), nonce: nonce,
			onRefusal: map[int]func(table.Item) error{}}
		if session.Rev > 0 {
			c.was = session
		}
		if err := build(c); errors.Is(err, errNothing) {
			return session, nil
		} else if err != nil {
			return nil, err
		}
		stood, err := c.commit(ctx)
		if err == nil {
			for _, run := range c.ended {
				s.watchers.tell(RunRef{p.ID, session.ID, run})
			}
			return c.session, nil
		}
		if !errors.Is(err, errAgain) {
			return nil, err
		}
		if stood != nil {
			session = stood
		}
	}
	return nil, unavailable(table.ErrNotDone)
}

var errNothing = errors.New("nothing to change")

func (s *Session) clone() *Session {
	c := *s
	c.Queue = slices.Clone(s.Queue)
	if s.Run != nil {
		c.Run = new(*s.Run)
	}
	if s.Last != nil {
		c.Last = new(*s.Last)
	}
	return &c
}

// add gives an entry its place and stores it with the change.
func (c *change) add(e *Entry) error {
	if e.ID == "" {
		e.ID = EntryID(c.store.newID())
	}
	c.session.next(e, c.now)
	c.missable(e)
	item, err := e.item(c.project.ID, c.session.ID)
	if err != nil {
		return err
	}
	item["nonce"] = c.nonce
	c.act(table.Put(item, table.Absent()), nil)
	return nil
}

// put stores an item with the change, in place of what stands there.
func (c *change) put(item table.Item, err error) error {
	if err == nil {
		c.act(table.Put(item), nil)
	}
	return err
}

// act adds an action, and what its refusal means.
func (c *change) act(a table.Action, onRefusal func(standing table.Item) error) {
	if onRefusal != nil {
		c.onRefusal[len(c.actions)] = onRefusal
	}
	c.actions = append(c.actions, a)
}

// event adds an event entry by the system or an operator.
func (c *change) event(kind Event, by Author) error {
	return c.add(&Entry{Event: kind, Author: by})
}

// due has the sweep look at an item at a time.
func (c *change) due(job table.Key, at time.Time, data string) {
	c.act(table.Put(dueItem(job, at, c.project.ID, string(c.session.ID), data)), nil)
}

// dueItem carries a job: the sweep meets it in the minute of its time.
func dueItem(job table.Key, at time.Time, p ProjectID, id, data string) table.Item {
	item := job.With(table.Item{"data": data})
	setDue(item, at, p, id)
	return item
}

// setDue puts an item among what the sweep looks at in the minute of a time.
func setDue(item table.Item, at time.Time, p ProjectID, id string) {
	item["wp"], item["ws"] = duePartition(minuteOf(at), dueShard(id)), dueSort(at, p, id)
}

// commit writes the change. With errAgain it returns the session that stands,
// if the refusal told.
func (c *change) commit(ctx context.Context) (*Session, error) {
	c.session.Rev++
	c.session.touch(c.moved || c.was == nil)
	c.watch()
	head, err := c.session.item(c.project)
	if err != nil {
		return nil, err
	}
	head["nonce"] = c.nonce
	condition := table.Absent()
	if c.was != nil {
		condition = table.Equal("rev", c.was.Rev)
	}
	at := len(c.actions)
	err = c.store.write(ctx, append(c.actions, table.Put(head, condition))...)
	r, ok := errors.AsType[*table.Refused](err)
	if !ok {
		return nil, err
	}
	for _, f := range r.Refusals {
		if fn := c.onRefusal[f.Action]; fn != nil {
			if err := fn(f.Item); err != nil {
				return nil, err
			}
		}
	}
	stood, ok := r.Of(at)
	if !ok {
		return nil, errAgain
	}
	if stood == nil {
		return nil, errGone()
	}
	session, err := sessionFrom(c.project.ID, c.session.ID, stood)
	if err != nil {
		return nil, err
	}
	return session, errAgain
}

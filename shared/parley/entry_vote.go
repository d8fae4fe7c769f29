package parley

import (
	"context"
	"sync"

	"parley/shared/table"
)

// Vote is what a visitor thinks of one answer.
type Vote string

// The votes.
const (
	VoteUp   Vote = "up"
	VoteDown Vote = "down"
)

// Vote says what the visitor thinks of an answer of the agent's or of a human's.
// The vote is an entry that amends the answer, which carries the newest one; the
// same vote again changes nothing. It returns the answer. Errors: ErrNotFound if
// the session has no such answer among its newest MaxBack entries; changes_limit.
func (s *Store) Vote(ctx context.Context, c Caller, id SessionID, answer EntryID, v Vote) (Entry, error) {
	if v != VoteUp && v != VoteDown {
		return Entry{}, invalid("vote", "a vote is up or down")
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Entry{}, err
	}
	spent := &spending{store: s, project: p, caller: c}
	take := sync.OnceValue(func() error { return s.takeChange(ctx, c) })
	return againFor(func() (Entry, error) {
		session, err := s.open(ctx, c, id, true)
		if err == nil { // before the answer is looked for, which may take many reads
			err = take()
		}
		if err != nil {
			return Entry{}, err
		}
		of, err := s.answer(ctx, session, answer)
		if err != nil {
			return Entry{}, err
		}
		if of.Vote == v {
			return of, nil
		}
		voted := of
		voted.Vote, voted.Revision = v, of.Revision+1
		_, err = s.change(ctx, p, session, func(ch *change) error {
			if err := ch.vote(c, of, voted); err != nil {
				return err
			}
			return spent.guard(ch)
		})
		spent.count(ctx, err)
		return voted, err
	})
}

func (c *change) vote(by Caller, of, voted Entry) error {
	data := encodePlain(map[string]Vote{"vote": voted.Vote})
	if err := c.add(&Entry{Event: EventVote, Author: by.Author(), Amends: of.Seq, Data: data}); err != nil {
		return err
	}
	return c.amend(voted, of.Revision)
}

// amend replaces an entry that had this revision; errStale if it has another.
func (c *change) amend(e Entry, revision int) error {
	item, err := e.item(c.project.ID, c.session.ID)
	if err != nil {
		return err
	}
	item["nonce"], item["revision"] = c.nonce, int64(e.Revision)
	condition := table.Missing("revision")
	if revision > 0 {
		condition = table.Equal("revision", int64(revision))
	}
	c.act(table.Put(item, table.Exists(), condition), func(table.Item) error { return errStale })
	return nil
}

// MaxBack is how many of a session's newest entries an answer is looked for in, to
// vote for it or to send its form. Our choice: more than anybody scrolls back, and
// ten pages of reads for an id that the session does not have.
const MaxBack = 1000

// answer finds a message that is not the visitor's own by its id, from the newest
// on. ErrNotFound if there is none among the newest MaxBack entries.
func (s *Store) answer(ctx context.Context, session *Session, id EntryID) (Entry, error) {
	if CheckID("message", string(id)) != nil {
		return Entry{}, notFound("message")
	}
	for e, err := range s.back(ctx, session.Project, session.ID, session.Seq, MaxPage) {
		if err != nil {
			return Entry{}, err
		}
		if e.Seq <= session.Seq-MaxBack {
			break
		}
		if e.ID == id && e.IsMessage() && !e.Internal && e.Author.Kind != AuthorUser {
			return e.Entry, nil
		}
	}
	return Entry{}, notFound("message")
}

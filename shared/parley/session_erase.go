package parley

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"parley/shared/table"
)

// tombstoneLife is how long what is left of an erased session stands: longer
// than any write that was under way can take to arrive.
const tombstoneLife = 30 * 24 * time.Hour

// Erase removes a session for good. When it returns its run has ended, nobody
// can read it and every later change is refused; its content is removed by a
// job, which Erase begins and the sweep finishes if it must.
func (s *Store) Erase(ctx context.Context, c Caller, id SessionID) error {
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return err
	}
	if c.Only != "" {
		return errLimited()
	}
	if err := s.leaveTombstone(ctx, p, c, session); err != nil {
		return err
	}
	return ordered(s.eraseContent(ctx, p.ID, id))
}

// leaveTombstone makes the session a tombstone and orders the job.
func (s *Store) leaveTombstone(ctx context.Context, p *Project, c Caller, session *Session) error {
	return again(func() error {
		old, err := s.rating(ctx, p.ID, session.ID)
		if err != nil {
			return err
		}
		_, err = s.stop(ctx, p, session, "", StatusCancelled, func(ch *change) error {
			if old != nil {
				if err := ch.rate(old, nil); err != nil {
					return err
				}
			}
			// Whose it was, for what is not in the session's partition.
			ch.due(jobKey(p.ID, session.ID, "erase"), ch.now.Add(lookAfter), string(ch.session.Owner.Visitor))
			ch.session = &Session{ID: session.ID, Project: p.ID, Rev: ch.session.Rev, Seq: ch.session.Seq, At: ch.now.UnixMilli(), Erased: true}
			return s.guard(ch, c)
		})
		if errors.Is(err, errRaced) {
			stands, headErr := s.head(ctx, p.ID, session.ID)
			session, err = cmp.Or(stands, session), cmp.Or(headErr, err)
		}
		return err
	})
}

// eraseContent removes what an erased session consists of and can be begun
// again at any point: what an entry names goes before the entry does.
func (s *Store) eraseContent(ctx context.Context, p ProjectID, id SessionID) error {
	q := table.Query{Partition: sessionPK(p, id), Limit: 100, Consistent: true}
	job := jobKey(p, id, "erase")
	var visitor VisitorID
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		switch {
		case item.Key() == job:
			visitor = VisitorID(item.String("data"))
			continue
		case item.String(table.SK) == skHead:
			continue
		}
		if err := s.eraseItem(ctx, p, id, item); err != nil {
			return err
		}
	}
	if err := s.eraseConnections(ctx, p, id, visitor); err != nil {
		return err
	}
	return s.write(ctx, table.Delete(job))
}

func (s *Store) eraseItem(ctx context.Context, p ProjectID, id SessionID, item table.Item) error {
	var err error
	switch sk := item.String(table.SK); {
	case strings.HasPrefix(sk, skEntryFrom):
		var e Entry
		if e, err = entryFrom(item); err == nil {
			err = s.eraseNamed(ctx, p, e)
		}
	case strings.HasPrefix(sk, skConnectionFrom):
		err = s.lookAway(ctx, id, item)
	case sk == skLine:
		err = s.erasePointers(ctx, p, id, item)
	}
	if err != nil {
		return err
	}
	return s.write(ctx, table.Delete(item.Key()))
}

// eraseNamed removes what an entry names: its files, and the logs of its runs.
func (s *Store) eraseNamed(ctx context.Context, p ProjectID, e Entry) error {
	for _, part := range e.Parts {
		if part.Attachment == nil {
			continue
		}
		f := part.Attachment.ID
		if err := s.bucket.Delete(ctx, quarantineKey(p, f), checkedKey(p, f)); err != nil {
			return ofBucket("delete file", err)
		}
		if err := s.write(ctx, table.Delete(fileKey(p, f)), table.Delete(fileJobKey(p, f))); err != nil {
			return err
		}
	}
	if e.Run != "" {
		return s.blankLog(ctx, p, e.Run)
	}
	return s.blankLog(ctx, p, RunID(e.ID))
}

// blankLog takes the content out of a log and leaves its entries to their time:
// deleted, they would let a late append back in.
func (s *Store) blankLog(ctx context.Context, p ProjectID, run RunID) error {
	q := table.Query{Partition: logKey(p, run, 0).PK, Limit: 100, Consistent: true}
	expires := s.clock().Add(tombstoneLife).Unix()
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return err
		}
		if err := s.blankLogItem(ctx, item, expires); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) blankLogItem(ctx context.Context, item table.Item, expires int64) error {
	if item.String(table.SK) == skExtras {
		return s.write(ctx, table.Delete(item.Key()))
	}
	e, err := logEntryFrom(item)
	if err != nil {
		return err
	}
	blank, err := record(item.Key(), "log entry", LogEntry{Kind: e.Kind, At: e.At, Status: e.Status},
		table.Item{"nonce": e.By, "erased": true, table.ExpiresAt: expires})
	if err != nil {
		return err
	}
	return s.write(ctx, table.Put(blank))
}

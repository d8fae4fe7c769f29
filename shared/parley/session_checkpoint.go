package parley

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"parley/shared/table"
)

// MaxCheckpointBytes is the longest state checkpoint, in bytes of JSON. Our
// choice: a list of 20 sessions with theirs stays far below 6 MB (AWS Lambda quota).
const MaxCheckpointBytes = 32 << 10

// Checkpoint keeps the state of whatever a page lets the visitor do, a JSON
// object: as an entry in the session's order, and as the session's newest one,
// in one transaction. changes_limit, of kind ErrLimit, if the visitor changes too
// much.
func (s *Store) Checkpoint(ctx context.Context, c Caller, id SessionID, payload json.RawMessage) (Entry, error) {
	if err := checkObject("payload", payload, MaxCheckpointBytes); err != nil {
		return Entry{}, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Entry{}, err
	}
	var entry Entry
	for try := range changeTries {
		session, err := s.open(ctx, c, id, true)
		if err != nil {
			return Entry{}, err
		}
		if try == 0 {
			if err := s.pace(ctx, c); err != nil {
				return Entry{}, err
			}
		}
		about, err := s.aboutNow(ctx, session)
		if err != nil {
			return Entry{}, err
		}
		_, err = s.change(ctx, p, session, func(ch *change) error {
			if ch.session.Rev != session.Rev {
				return errStale // and what is known of it may have changed too
			}
			entry = Entry{Event: EventCheckpoint, Author: c.Author(), Data: payload}
			if err := ch.add(&entry); err != nil {
				return err
			}
			about.Checkpoint = payload
			item, err := about.item(p.ID, id)
			if err != nil {
				return err
			}
			ch.act(table.Put(item), nil)
			return s.guard(ch, c)
		})
		if !errors.Is(err, errStale) {
			return entry, err
		}
	}
	return Entry{}, unavailable(table.ErrNotDone)
}

// aboutNow reads what is known of a session after its head: whatever changed it
// since has changed the head too, and a change of the head as it was is refused.
func (s *Store) aboutNow(ctx context.Context, session *Session) (About, error) {
	items, err := s.table.Get(ctx, true, aboutKey(session.Project, session.ID))
	if err != nil {
		return About{}, unavailable(err)
	}
	return aboutFrom(items[0])
}

// checkObject returns an invalid_field or too_large error unless data is a JSON
// object of at most max bytes.
func checkObject(field string, data json.RawMessage, max int) error {
	if len(data) > max {
		return tooLarge(field, max)
	}
	if !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return invalid(field, "%s is a JSON object", field)
	}
	return nil
}

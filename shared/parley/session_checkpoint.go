package parley

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
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
	spent := &spending{store: s, project: p, caller: c}
	take := sync.OnceValue(func() error { return s.takeChange(ctx, c) })
	return againFor(func() (Entry, error) {
		session, err := s.open(ctx, c, id, true)
		if err == nil {
			err = take()
		}
		if err != nil {
			return Entry{}, err
		}
		err = s.changeAbout(ctx, p, session, func(ch *change, about *About) error {
			entry = Entry{Event: EventCheckpoint, Author: c.Author(), Data: payload}
			if err := ch.add(&entry); err != nil {
				return err
			}
			about.Checkpoint = payload
			return nil
		}, spent.guard)
		spent.count(ctx, err)
		return entry, err
	})
}

// checkAnyObject is checkObject of what may be missing.
func checkAnyObject(field string, data json.RawMessage, max int) error {
	if data == nil {
		return nil
	}
	return checkObject(field, data, max)
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

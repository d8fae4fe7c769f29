package parley

import (
	"context"
	"fmt"
	"iter"

	"parley/shared/table"
)

// Reading a session's entries, in order and without a gap: forward, and back from
// the newest. A page of a query is no snapshot, and a replica lags: of two entries
// that were stored together only the later one may be in it.

// forward yields the entries after a number, as far as they are without a gap:
// what comes after a missing one comes with the next call.
func (s *Store) forward(ctx context.Context, p ProjectID, id SessionID, after Seq, consistent bool) iter.Seq2[Entry, error] {
	q := table.Query{Partition: sessionPK(p, id), From: entryKey(p, id, after+1).SK, To: skEntryTo, Limit: MaxPage, Consistent: consistent}
	return func(yield func(Entry, error) bool) {
		for item, err := range s.items(ctx, q) {
			var e Entry
			if err == nil {
				e, err = entryFrom(item)
			}
			if err == nil && e.Seq != after+1 {
				return
			}
			after++
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// prefix returns what forward yields, at most MaxPage entries.
func (s *Store) prefix(ctx context.Context, p ProjectID, id SessionID, after Seq, consistent bool) ([]Entry, error) {
	var entries []Entry
	for e, err := range s.forward(ctx, p, id, after, consistent) {
		if err != nil {
			return nil, err
		}
		if entries = append(entries, e); len(entries) == MaxPage {
			break
		}
	}
	return entries, nil
}

// readEntry is an entry with the bytes of JSON that it is stored as.
type readEntry struct {
	Entry
	bytes int
}

// gapTries bounds how often entries that a page was without are read again.
const gapTries = 4

// newestFirst asks back for all that a replica has, whatever its newest number.
const newestFirst Seq = 1 << 40

// back yields the entries from a number down to the first, or from the newest
// that a replica has, in pages of at most limit. What is missing from a page is
// read again, consistently.
func (s *Store) back(ctx context.Context, p ProjectID, id SessionID, to Seq, limit int) iter.Seq2[readEntry, error] {
	q := table.Query{Partition: sessionPK(p, id), From: skEntryFrom, Descending: true}
	return func(yield func(readEntry, error) bool) {
		for tries := 0; to > 0; tries++ {
			q.To, q.Limit = entryKey(p, id, to).SK, min(limit, table.MaxLimit)
			page, err := s.table.Query(ctx, q)
			if err != nil {
				yield(readEntry{}, unavailable(err))
				return
			}
			if to == newestFirst && len(page.Items) == 0 {
				return
			}
			q.Consistent = q.Consistent || len(page.Items) == 0
			for _, item := range page.Items {
				e, err := entryFrom(item)
				if to == newestFirst {
					to = e.Seq
				}
				if err == nil && e.Seq != to {
					q.Consistent = true
					break
				}
				to, tries = to-1, 0
				if !yield(readEntry{e, len(item.String("data"))}, err) || err != nil {
					return
				}
			}
			if tries == gapTries {
				yield(readEntry{}, fmt.Errorf("%w: entry %d is missing", ErrUnavailable, to))
				return
			}
		}
	}
}

// downFrom returns the entries from a number down that are shown, at most n.
func (s *Store) downFrom(ctx context.Context, p ProjectID, id SessionID, to Seq, n int, shown func(Entry) bool) ([]Entry, error) {
	var entries []Entry
	for e, err := range s.back(ctx, p, id, to, n) {
		if err != nil {
			return nil, err
		}
		if !shown(e.Entry) {
			continue
		}
		if entries = append(entries, e.Entry); len(entries) == n {
			break
		}
	}
	return entries, nil
}

// EntriesAfter yields what a session that was opened had in it after a number, as
// it stands, internal entries too.
func (s *Store) EntriesAfter(ctx context.Context, session *Session, after Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if after >= session.Seq {
			return
		}
		for e, err := range s.forward(ctx, session.Project, session.ID, after, true) {
			if !yield(e, err) || e.Seq == session.Seq {
				return
			}
		}
	}
}

// EntriesBefore yields at most n entries before a number, the newest first,
// internal ones too.
func (s *Store) EntriesBefore(ctx context.Context, session *Session, before Seq, n int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range s.back(ctx, session.Project, session.ID, before-1, n) {
			if n--; !yield(e.Entry, err) || n == 0 {
				return
			}
		}
	}
}

// EntryAt returns one entry of a session. ErrNotFound if there is none.
func (s *Store) EntryAt(ctx context.Context, p ProjectID, id SessionID, n Seq) (Entry, error) {
	return read(ctx, s, true, entryKey(p, id, n), entryFrom)
}

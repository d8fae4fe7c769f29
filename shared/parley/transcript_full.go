package parley

import (
	"cmp"
	"context"
	"slices"

	"parley/shared/table"
)

// FullTranscript is a session with its public entries, from the first one on unless it
// is too long.
type FullTranscript struct {
	Session *Session
	About   About
	// Entries are in order. Cut says that older ones were left out.
	Entries []Entry
	Cut     bool
}

// FullTranscript returns a session with its entries, newest room bytes of their text and
// data and no more, for clients that ask for everything each time. It is no sign
// of the page: clients of that kind ask as long as a page is there, whether or
// not anybody looks at it, and take what changes by being read for news. One wave
// of reads: what the entries weigh, eventually consistent, and at most 2 read
// units besides, for a session whose head says how many entries there must be.
func (s *Store) FullTranscript(ctx context.Context, c Caller, id SessionID, room int) (FullTranscript, error) {
	if CheckID("session", string(id)) != nil {
		return FullTranscript{}, notFound("session")
	}
	newest := make(chan newestEntries, 1)
	go func() { newest <- s.newestWithin(ctx, c.Project, id, room) }()
	session, items, err := s.openHead(ctx, c, id, aboutKey(c.Project, id))
	tail := <-newest
	if err := cmp.Or(err, tail.err); err != nil {
		return FullTranscript{}, err
	}
	about, err := aboutFrom(items[0])
	if err == nil {
		err = s.meets(ctx, c, session)
	}
	if err != nil {
		return FullTranscript{}, err
	}
	out := FullTranscript{Session: session, About: about, Cut: tail.cut}
	if out.Entries, err = s.upToHead(ctx, session, tail); err != nil {
		return FullTranscript{}, err
	}
	if err := s.asAmended(ctx, session, out.Entries); err != nil {
		return FullTranscript{}, err
	}
	for _, e := range out.Entries {
		if e.Event == EventCheckpoint {
			out.About.Checkpoint = e.Data // which the replica may not have had there yet
		}
	}
	out.Entries = slices.DeleteFunc(out.Entries, func(e Entry) bool { return e.Internal && !c.staff() })
	return out, nil
}

// FullTranscriptAfter is FullTranscript for who keeps what it has read: of a session
// that was created then, up to an entry. It returns the session with the entries
// after that one alone, and nothing of what is known about it. enough is false where
// that does not continue what was read, because something in it has changed since:
// then it has to be read again. One wave of 1.5 read units where there is nothing
// new, one more for what is. What changes while that is read is read again.
func (s *Store) FullTranscriptAfter(ctx context.Context, c Caller, id SessionID, created int64, after Seq) (out FullTranscript, enough bool, err error) {
	session, _, err := s.openHead(ctx, c, id)
	if err == nil {
		err = s.meets(ctx, c, session)
	}
	if err != nil {
		return FullTranscript{}, false, err
	}
	out.Session = session
	if session.Created != created || session.Seq < after {
		return out, false, nil
	}
	at := after
	for e, err := range s.EntriesAfter(ctx, session, after) {
		if err != nil {
			return FullTranscript{}, false, err
		}
		if 0 < e.Amends && e.Amends <= after {
			return out, false, nil
		}
		if at = e.Seq; !e.Internal || c.staff() {
			out.Entries = append(out.Entries, e)
		}
	}
	if at < session.Seq {
		return out, false, nil
	}
	return out, true, s.asAmended(ctx, session, out.Entries)
}

// openHead is openBeside, of which only the session's own item has to be as it stands. To
// the items of a visitor it adds the visitor's own.
func (s *Store) openHead(ctx context.Context, c Caller, id SessionID, beside ...table.Key) (*Session, []table.Item, error) {
	if CheckID("session", string(id)) != nil {
		return nil, nil, notFound("session")
	}
	if !c.staff() {
		beside = append(slices.Clip(beside), visitorKey(c.Project, c.Visitor))
	}
	rest := func() ([]table.Item, error) { return nil, nil }
	if len(beside) > 0 {
		rest = s.meanwhile(ctx, false, beside...)
	}
	head, err := s.get(ctx, true, headKey(c.Project, id))
	items, restErr := rest()
	if err := cmp.Or(err, restErr); err != nil {
		return nil, nil, err
	}
	var visitor table.Item
	if !c.staff() {
		visitor = items[len(items)-1]
	}
	session, err := s.admitted(ctx, c, id, visitor, head)
	return session, items, err
}

// asAmended reads entries again that a replica had as they were before a later one
// amended them: each amendment counts their revision up.
func (s *Store) asAmended(ctx context.Context, session *Session, entries []Entry) error {
	times := map[Seq]int{}
	for _, e := range entries {
		if e.Amends > 0 {
			times[e.Amends]++
		}
	}
	for i, e := range entries {
		if e.Revision >= times[e.Seq] {
			continue
		}
		var err error
		if entries[i], err = s.EntryAt(ctx, session.Project, session.ID, e.Seq); err != nil {
			return err
		}
	}
	return nil
}

// newestEntries is the end of a session's order as a replica has it, newest first.
type newestEntries struct {
	entries []Entry
	cut     bool
	err     error
}

// newestWithin reads entries from the end until they weigh more than room.
func (s *Store) newestWithin(ctx context.Context, p ProjectID, id SessionID, room int) (out newestEntries) {
	if room <= 0 {
		return newestEntries{cut: true}
	}
	for e, err := range s.back(ctx, p, id, newestFirst, table.MaxLimit) {
		if err != nil {
			return newestEntries{err: err}
		}
		if room -= e.bytes; room < 0 {
			out.cut = true
			break
		}
		out.entries = append(out.entries, e.Entry)
	}
	return out
}

// upToHead returns the entries up to the one that the session's head names, in
// order: what the replica had not yet is read again, and what is newer than the
// head is left for next time.
func (s *Store) upToHead(ctx context.Context, session *Session, tail newestEntries) ([]Entry, error) {
	if tail.cut && len(tail.entries) == 0 {
		return nil, nil
	}
	lacking := int(session.Seq)
	if len(tail.entries) > 0 {
		lacking -= int(tail.entries[0].Seq)
	}
	var entries []Entry
	if lacking > 0 {
		var err error
		every := func(Entry) bool { return true }
		if entries, err = s.downFrom(ctx, session.Project, session.ID, session.Seq, lacking, every); err != nil {
			return nil, err
		}
	}
	for _, e := range tail.entries {
		if e.Seq <= session.Seq {
			entries = append(entries, e)
		}
	}
	slices.Reverse(entries)
	return entries, nil
}

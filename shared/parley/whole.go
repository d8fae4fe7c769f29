package parley

import (
	"context"
	"fmt"
	"slices"

	"parley/shared/table"
)

// Whole is a session with its public entries, from the first one on unless it
// is too long.
type Whole struct {
	Session *Session
	About   About
	// Entries are in order. Cut says that older ones were left out.
	Entries []Entry
	Cut     bool
}

// Whole returns a session with its entries, newest room bytes of their text and
// data and no more, for clients that ask for everything each time. It is no sign
// of the page: clients of that kind ask as long as a page is there, whether or
// not anybody looks at it, and take what changes by being read for news. One wave
// of reads: what the entries weigh, eventually consistent, and at most 2 read
// units besides, for a session whose head says how many entries there must be.
func (s *Store) Whole(ctx context.Context, c Caller, id SessionID, room int) (Whole, error) {
	if CheckID("session", string(id)) != nil {
		return Whole{}, notFound("session")
	}
	pages := make(chan tailPage, 1)
	go func() { pages <- s.newest(ctx, c.Project, id, room) }()
	beside := make(chan error, 1)
	var about About
	go func() { beside <- s.standingAndAbout(ctx, c, id, &about) }()
	items, err := s.table.Get(ctx, true, headKey(c.Project, id))
	tail, besideErr := <-pages, <-beside
	for _, err := range []error{unavailable(err), besideErr, tail.err} {
		if err != nil {
			return Whole{}, err
		}
	}
	session, err := present(c.Project, id, items[0])
	if err != nil {
		return Whole{}, err
	}
	if err := s.owns(ctx, c, session); err != nil {
		return Whole{}, err
	}
	out := Whole{Session: session, About: about, Cut: tail.cut}
	out.Entries, err = s.filled(ctx, session, tail)
	out.Entries = slices.DeleteFunc(out.Entries, func(e Entry) bool { return e.Internal && !c.staff() })
	return out, err
}

// standingAndAbout reads the caller's standing and what is known of a session.
func (s *Store) standingAndAbout(ctx context.Context, c Caller, id SessionID, about *About) error {
	keys := []table.Key{aboutKey(c.Project, id)}
	if !c.staff() {
		keys = append(keys, visitorKey(c.Project, c.Visitor))
	}
	items, err := s.table.Get(ctx, false, keys...)
	if err != nil {
		return unavailable(err)
	}
	if !c.staff() {
		if err := standingOf(items[1], c); err != nil {
			return err
		}
	}
	*about, err = aboutFrom(items[0])
	return err
}

// tailPage is the end of a session's order as a replica has it, newest first.
type tailPage struct {
	entries []Entry
	cut     bool
	err     error
}

// newest reads entries from the end until they weigh more than room.
func (s *Store) newest(ctx context.Context, p ProjectID, id SessionID, room int) (out tailPage) {
	if room <= 0 {
		return tailPage{cut: true}
	}
	q := table.Query{Partition: sessionPK(p, id), From: skEntryFrom, To: "entry/~", Descending: true, Limit: table.MaxLimit}
	for {
		page, err := s.table.Query(ctx, q)
		if err != nil {
			return tailPage{err: unavailable(err)}
		}
		for _, item := range page.Items {
			if room -= len(item.String("data")); room < 0 {
				out.cut = true
				return out
			}
			e, err := entryFrom(item)
			if err != nil {
				return tailPage{err: err}
			}
			out.entries = append(out.entries, e)
		}
		if page.Next == nil {
			return out
		}
		q.Start = page.Next
	}
}

// filled returns the entries up to the one that the session's head names, in
// order. A page is no snapshot and a replica lags: what is missing is read again,
// consistently, and what is newer than the head is left for next time.
func (s *Store) filled(ctx context.Context, session *Session, tail tailPage) ([]Entry, error) {
	got := map[Seq]Entry{}
	first := session.Seq + 1
	for _, e := range tail.entries {
		if e.Seq <= session.Seq {
			got[e.Seq] = e
			first = min(first, e.Seq)
		}
	}
	if !tail.cut {
		first = 1
	}
	entries := make([]Entry, 0, max(session.Seq-first+1, 0))
	for n := first; n <= session.Seq; n++ {
		if e, ok := got[n]; ok {
			entries = append(entries, e)
			continue
		}
		err := s.eachEntry(ctx, session.Project, session.ID, n, func(e Entry) bool {
			got[e.Seq] = e
			return e.Seq < session.Seq
		})
		if err != nil {
			return nil, err
		}
		e, ok := got[n]
		if !ok {
			return nil, fmt.Errorf("%w: entry %d is missing", ErrUnavailable, n)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

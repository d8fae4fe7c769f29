package parley

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"parley/shared/table"
)

// SessionFilter says which of an owner's sessions are asked for; the zero value all.
type SessionFilter struct {
	// External is the external id under which the session began, "" any. Of a
	// contact whom nobody vouches for only sessions under a random one are listed: a
	// UUID of version 4.
	External string
	// Metadata are pairs that the session's browser must have said.
	Metadata map[string]string
}

func (w SessionFilter) check() error {
	return cmp.Or(checkAnyID("external_id", w.External), checkAbout(Page{}, w.Metadata))
}

// SessionsMatching is Sessions for those that are asked for. A page may hold fewer
// than its limit, or none, and still have a next one: it ends after maxLooked.
func (s *Store) SessionsMatching(ctx context.Context, c Caller, r PageRequest, w SessionFilter) ([]*Session, string, error) {
	if err := w.check(); err != nil {
		return nil, "", err
	}
	if c.Unproven {
		c.External = w.External
	}
	var l lister
	if w.External != "" || len(w.Metadata) > 0 {
		l.keep = func(ctx context.Context, all []*Session) ([]*Session, error) {
			return s.matching(ctx, c.Project, all, w)
		}
	}
	return s.listOwn(ctx, c, r, l)
}

// maxLooked is how many sessions one page of a list looks at that keeps only
// some: some 500 read units at the most. Our choice.
const maxLooked = 1000

// lookedEnough reports whether the list has looked at enough for one page, of which
// the last stood in the index under sort, and if so notes above which activity
// it is whole: what stands below was active at most indexEvery later than that.
func (l *lister) lookedEnough(sort string) bool {
	at, _, ok := splitTimeAndSession(sort)
	floor := at + indexEvery.Milliseconds()
	if l.keep == nil || l.looked < maxLooked || !ok || floor+1 >= l.after.At {
		return false
	}
	l.floor = max(l.floor, floor)
	return true
}

// aboveFloor returns the sessions of which it is sure that none is missing
// between them, and goes on below.
func (l *lister) aboveFloor() ([]*Session, string, error) {
	sure := l.held
	if below := slices.IndexFunc(sure, func(s *Session) bool { return s.At <= l.floor }); below >= 0 {
		sure = sure[:below]
	}
	page, next := pageOf(sure, l.limit, placeIn)
	return page, cmp.Or(next, cursor(place{At: l.floor + 1})), nil
}

// matching returns the sessions that are asked for, in order.
func (s *Store) matching(ctx context.Context, p ProjectID, all []*Session, w SessionFilter) ([]*Session, error) {
	var kept []*Session
	for _, session := range all {
		if w.External == "" || session.Owner.External == w.External {
			kept = append(kept, session)
		}
	}
	if len(w.Metadata) == 0 {
		return kept, nil
	}
	abouts, err := s.abouts(ctx, p, kept)
	if err != nil {
		return nil, err
	}
	var matching []*Session
	for i, session := range kept {
		said := maps.Clone(w.Metadata)
		maps.DeleteFunc(said, func(k, v string) bool { got, ok := abouts[i].Metadata[k]; return ok && got == v })
		if len(said) == 0 {
			matching = append(matching, session)
		}
	}
	return matching, nil
}

// Abouts returns the cold parts of sessions that a list has shown to the caller.
func (s *Store) Abouts(ctx context.Context, sessions []*Session) ([]About, error) {
	if len(sessions) == 0 {
		return nil, nil
	}
	return s.abouts(ctx, sessions[0].Project, sessions)
}

func (s *Store) abouts(ctx context.Context, p ProjectID, sessions []*Session) ([]About, error) {
	items, err := s.getEach(ctx, len(sessions), func(i int) table.Key { return aboutKey(p, sessions[i].ID) })
	if err != nil {
		return nil, err
	}
	return decodeAll(items, aboutFrom)
}

package parley

import (
	"cmp"
	"context"
	"time"

	"parley/shared/table"
)

// Rated is a rating in the project's list.
type Rated struct {
	Session SessionID
	Rating  Rating
}

// Ratings returns the project's ratings, the newest first, and the cursor of the
// next page, "" at the end.
func (s *Store) Ratings(ctx context.Context, c Caller, r PageRequest) ([]Rated, string, error) {
	if err := cmp.Or(c.checkStaff(), r.check()); err != nil {
		return nil, "", err
	}
	q := table.Query{Index: table.Work, Partition: ratingsPartition(c.Project), Descending: true, Limit: r.Limit + 1}
	if r.Cursor != "" {
		var at place
		if err := uncursor(r.Cursor, &at); err != nil {
			return nil, "", err
		}
		if CheckID("cursor", string(at.ID)) != nil {
			return nil, "", errCursor()
		}
		q.Start = ratingKey(c.Project, at.ID).With(table.Item{"wp": q.Partition, "ws": timeAndSession(time.UnixMilli(at.At), at.ID)})
	}
	var places []place
	for item, err := range s.items(ctx, q) {
		if err != nil {
			return nil, "", err
		}
		at, id, ok := splitTimeAndSession(item.String("ws"))
		if !ok {
			return nil, "", errNoName
		}
		if places = append(places, place{at, id}); len(places) > r.Limit {
			break
		}
	}
	places, next := pageOf(places, r.Limit, func(p place) any { return p })
	list, err := s.ratedAt(ctx, c.Project, places)
	return list, next, err
}

// ratedAt reads the ratings that the index lists; those that were replaced or
// erased meanwhile are left out.
func (s *Store) ratedAt(ctx context.Context, p ProjectID, places []place) ([]Rated, error) {
	keys := make([]table.Key, len(places))
	for i, at := range places {
		keys[i] = ratingKey(p, at.ID)
	}
	found, err := s.getAll(ctx, true, keys)
	if err != nil {
		return nil, err
	}
	var list []Rated
	for _, at := range places {
		item := found[ratingKey(p, at.ID)]
		if item == nil || item.Int("at") != at.At {
			continue
		}
		r, err := ratingFrom(item)
		if err != nil {
			return nil, err
		}
		list = append(list, Rated{at.ID, *r})
	}
	return list, nil
}

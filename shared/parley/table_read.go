package parley

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"parley/shared/table"
)

// get returns the item of a key, nil if there is none.
func (s *Store) get(ctx context.Context, consistent bool, key table.Key) (table.Item, error) {
	items, err := s.table.Get(ctx, consistent, key)
	if err != nil {
		return nil, unavailable(err)
	}
	return items[0], nil
}

// ownItems returns the caller's own item, a visitor's, and others that are read in the
// same wave; with an error of standingOf if the caller's token does not stand.
func (s *Store) ownItems(ctx context.Context, c Caller, beside ...table.Key) ([]table.Item, error) {
	items, err := s.table.Get(ctx, true, append([]table.Key{visitorKey(c.Project, c.Visitor)}, beside...)...)
	if err != nil {
		return nil, unavailable(err)
	}
	return items, standingOf(items[0], c)
}

// meanwhile reads items while whoever calls goes on, and gets them from what it returns.
func (s *Store) meanwhile(ctx context.Context, consistent bool, keys ...table.Key) func() ([]table.Item, error) {
	var items []table.Item
	var err error
	var reading sync.WaitGroup
	reading.Go(func() { items, err = s.table.Get(ctx, consistent, keys...) })
	return func() ([]table.Item, error) {
		reading.Wait()
		return items, unavailable(err)
	}
}

// read returns what from makes of the item of a key, which is nil if there is none.
func read[T any](ctx context.Context, s *Store, consistent bool, key table.Key, from func(table.Item) (T, error)) (T, error) {
	item, err := s.get(ctx, consistent, key)
	if err != nil {
		var none T
		return none, err
	}
	return from(item)
}

// getAll returns the items that there are of keys, by key. A key may be named twice.
func (s *Store) getAll(ctx context.Context, consistent bool, keys []table.Key) (map[table.Key]table.Item, error) {
	want, all := map[table.Key]bool{}, map[table.Key]table.Item{}
	for _, k := range keys {
		want[k] = true
	}
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(want)), table.MaxGet) {
		items, err := s.table.Get(ctx, consistent, chunk...)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, item := range items {
			if item != nil {
				all[item.Key()] = item
			}
		}
	}
	return all, nil
}

// getEach returns the items of n keys in their order, nil where there is none, as a
// replica has them.
func (s *Store) getEach(ctx context.Context, n int, key func(i int) table.Key) ([]table.Item, error) {
	keys := make([]table.Key, n)
	for i := range keys {
		keys[i] = key(i)
	}
	found, err := s.getAll(ctx, false, keys)
	items := make([]table.Item, n)
	for i, k := range keys {
		items[i] = found[k]
	}
	return items, err
}

// pages yields what a query finds, page by page, to its end or as long as it is
// asked for more. It ends after an error.
func (s *Store) pages(ctx context.Context, q table.Query) iter.Seq2[table.Page, error] {
	return func(yield func(table.Page, error) bool) {
		for {
			page, err := s.table.Query(ctx, q)
			if !yield(page, unavailable(err)) || err != nil || page.Next == nil {
				return
			}
			q.Start = page.Next
		}
	}
}

// items yields what a query finds, item by item.
func (s *Store) items(ctx context.Context, q table.Query) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		for page, err := range s.pages(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

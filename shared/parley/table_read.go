package parley

import (
	"context"
	"iter"

	"parley/shared/table"
)

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

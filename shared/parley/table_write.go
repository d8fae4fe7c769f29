package parley

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"parley/shared/table"
)

// writeTries bounds how often a write that met a conflict, a throttle or an
// unknown outcome is tried; with the pauses below that is some two seconds.
const writeTries = 8

// retry calls do until it succeeds, is refused, or fails for good. A write
// whose outcome was unknown is tried again as it was: its conditions make the
// repetition harmless, and whoever made it recognises in the refusal what it
// had written itself.
func retry(ctx context.Context, do func() error) error {
	pause := 10 * time.Millisecond
	for try := 1; ; try++ {
		err := do()
		if err == nil || !errors.Is(err, table.ErrNotDone) && !errors.Is(err, table.ErrUnknown) || try == writeTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// write does the actions or none, and takes a refusal by its own earlier try
// for success. Each write that can be repeated must put at least one item that
// no other write would put: under a fresh id, or with a revision and a nonce.
func (s *Store) write(ctx context.Context, actions ...table.Action) error {
	unknown := false
	err := retry(ctx, func() error {
		err := s.table.Write(ctx, actions...)
		if r, ok := errors.AsType[*table.Refused](err); ok && unknown && ours(actions, r) {
			return nil
		}
		unknown = unknown || errors.Is(err, table.ErrUnknown)
		return err
	})
	return unavailable(err)
}

// ours reports whether a refusal shows that this very write had been done: some
// put stands exactly as it was to be stored.
func ours(actions []table.Action, r *table.Refused) bool {
	for _, f := range r.Refusals {
		a := actions[f.Action]
		if a.Kind == table.PutAction && f.Item != nil && f.Item.Equal(a.Item) && unique(a.Item) {
			return true
		}
	}
	return false
}

// unique reports whether an item can only have come from one write.
func unique(i table.Item) bool { return i.String("nonce") != "" }

func refused(err error) bool {
	_, is := errors.AsType[*table.Refused](err)
	return is
}

// unrefused drops a refusal, where somebody else was faster with the same, or where
// there is nothing to change any more.
func unrefused(err error) error { return refusedAs(err, nil) }

// refusedAs returns another error in place of a refusal.
func refusedAs(err, instead error) error {
	if refused(err) {
		return instead
	}
	return err
}

// changeTries bounds the rounds against others who change the same.
const changeTries = 20

// Errors of what has to be done again, on what stands now.
var (
	errAgain = errors.New("somebody else was faster")
	errStale = errors.New("the session has changed")
)

// again repeats what others, who were faster, make come out differently, until it is
// done.
func again(do func() error) error {
	for range changeTries {
		if err := do(); !overtaken(err) {
			return err
		}
	}
	return unavailable(table.ErrNotDone)
}

// overtaken reports whether an error says that somebody else was faster.
func overtaken(err error) bool {
	return refused(err) || errors.Is(err, errAgain) || errors.Is(err, errStale) || errors.Is(err, errRaced) || errors.Is(err, errRevision)
}

// againFor is again for what has a result.
func againFor[T any](do func() (T, error)) (got T, err error) {
	err = again(func() (err error) {
		got, err = do()
		return err
	})
	return got, err
}

// standing returns what stands under the action at position n of a refused write.
func standing(err error, n int) (item table.Item, refused bool) {
	r, refused := errors.AsType[*table.Refused](err)
	if !refused {
		return nil, false
	}
	return r.Of(n)
}

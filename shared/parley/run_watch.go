package parley

import (
	"slices"
	"sync"
)

// endWatchers are the runners of this process, to be told at once when a run of
// theirs is ended by somebody else in it.
type endWatchers struct {
	mu sync.Mutex
	of map[RunRef][]chan struct{}
}

// WatchEnd returns a channel that is closed when this Store ends the run. It is a
// hint, which spares a runner the wait for its next append: what happened is in the
// log, and a run that is ended by another process closes nothing. Call stop when it
// is of no use any more.
func (s *Store) WatchEnd(ref RunRef) (ended <-chan struct{}, stop func()) {
	w, ch := &s.watchers, make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == nil {
		w.of = map[RunRef][]chan struct{}{}
	}
	w.of[ref] = append(w.of[ref], ch)
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.forget(ref, ch)
	}
}

// forget needs the lock.
func (w *endWatchers) forget(ref RunRef, ch chan struct{}) {
	w.of[ref] = slices.DeleteFunc(w.of[ref], func(other chan struct{}) bool { return other == ch })
	if len(w.of[ref]) == 0 {
		delete(w.of, ref)
	}
}

// tell is called when the end of the run is stored.
func (w *endWatchers) tell(ref RunRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.of[ref] {
		close(ch)
	}
	delete(w.of, ref)
}

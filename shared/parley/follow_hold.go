package parley

import (
	"context"
	"errors"
	"time"
)

// Hold is a lease on a follower's mark that is taken for what no entry stands for
// yet, such as a reply that is still being written: nobody else does anything for
// the follower meanwhile. It is for one goroutine.
type Hold struct {
	w       *follow
	entries []Entry
}

// Reach reads how far a follower has come in a session, for somebody who will want
// the lease at once when there is something to do. ErrNotFound if the session is
// gone. It may be a replica's word, which Take notices. Units: none.
func (s *Store) Reach(ctx context.Context, f Following) (*Hold, error) {
	w := &follow{store: s, Following: f}
	if err := w.read(ctx, false); err != nil {
		return nil, err
	}
	h := &Hold{w: w}
	if w.mark.seq >= w.session.Seq {
		return h, nil
	}
	var err error
	h.entries, err = s.prefix(ctx, f.Project, f.Session, w.mark.seq, false)
	return h, err
}

// Entries returns what followed the mark when it was read, as in a Stretch.
func (h *Hold) Entries() []Entry { return h.entries }

// Take takes the lease, with a note that says what for: should this worker die, the
// next one finds it. False means that somebody else has the lease, or that something
// is to be done first, which Follow does: a worker died or failed, or the mark is
// another by now. After that Reach has to be called again.
//
// Units: 2, or 5 for the first lease on the mark of a session.
func (h *Hold) Take(ctx context.Context, note string) (bool, error) {
	now := h.w.store.clock()
	if !h.w.mark.until.IsZero() || h.w.mark.wait.After(now) {
		return false, nil
	}
	until := now.Add(h.w.Follower.lease())
	err := h.w.put(ctx, progress{seq: h.w.mark.seq, until: until, tries: h.w.mark.tries, note: note, begun: true}, until)
	if errors.Is(err, errAgain) {
		return false, nil
	}
	return err == nil, err
}

// Note returns what the follower has noted for itself.
func (h *Hold) Note() string { return h.w.mark.note }

// Writes reports whether a run was going on when the mark was read, so that its reply
// is still to be told: once Take has succeeded nobody else has told it.
func (h *Hold) Writes(run RunID) bool {
	s := h.w.session
	return s.Run != nil && s.Run.ID == run && h.w.mark.seq <= s.Seq // else a replica's word of the session is the older one
}

// Free reports whether nobody had the lease when the mark was read.
func (h *Hold) Free() bool { return h.w.mark.until.IsZero() }

// Left is how long the lease that was taken still has for its work.
func (h *Hold) Left() time.Duration { return h.w.left() }

// Follow is Store.Follow with the lease that was taken, which it gives back.
// Units: 2 for one stretch.
func (h *Hold) Follow(ctx context.Context, do func(context.Context, Stretch) (Seq, error)) error {
	session, err := h.w.store.head(ctx, h.w.Project, h.w.Session)
	h.w.session = session
	for more := true; err == nil && more; {
		more, err = h.w.stretch(ctx, do)
	}
	return ignoreGone(err)
}

// HeldFor reports whether somebody has the lease of a follower who took it with
// Hold.Take and a note that says so. It may be a replica's word.
func (s *Store) HeldFor(ctx context.Context, f Following, says func(note string) bool) (bool, error) {
	item, err := s.get(ctx, false, f.key())
	if err != nil {
		return false, err
	}
	m := progressFrom(item)
	return m.begun && m.held(s.clock(), f.Follower.lease()) && says(m.note), nil
}

// Followed returns how far a follower has come in a session, exactly, and what it has
// noted. free is false where somebody has the lease, whom the mark does not say the last
// of.
func (s *Store) Followed(ctx context.Context, f Following) (upto Seq, note string, free bool, err error) {
	w := &follow{store: s, Following: f}
	if err := w.read(ctx, true); err != nil {
		return 0, "", false, err
	}
	return w.mark.seq, w.mark.note, w.mark.until.IsZero(), nil
}

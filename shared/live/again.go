package live

import (
	"context"
	"errors"
	"time"

	"parley/shared/parley"
	"parley/shared/socket"
)

// A client that vanishes without a word is found out by itself alone: it comes back,
// and until then every frame to it is taken, and lost. Text that was lost comes with
// the last frames of its messages, so those are sent again.

const (
	// doubtful is how long before its client was last heard a connection's last frames
	// may be from. Our choice: a message is told this long after it was stored if
	// somebody has died over it; see parley's lease of FollowerPush.
	doubtful = 5 * time.Minute
	// repeated is how many entries are looked at, from the newest that was told. Our
	// choice.
	repeated = 20
)

// follow tells what follows the mark, and then again what was lost. Whoever has the
// lease meanwhile does the latter after having given it back.
func (t *teller) follow(ctx context.Context) error {
	if err := t.Store.Follow(ctx, t.Following, t.stretch); err != nil {
		return err
	}
	line, err := t.Store.LineNow(ctx, t.Project, t.Session)
	if err != nil || line.Silent.ID == "" {
		return err
	}
	upto, free, err := t.Store.Followed(ctx, t.Following)
	if err != nil || !free {
		return ignoreMissing(err)
	}
	heard := line.Heard
	if heard.IsZero() {
		heard, err = t.Poster.Active(ctx, line.Silent)
	}
	if err == nil {
		err = t.again(ctx, upto, heard.Add(-doubtful))
	}
	switch {
	case errors.Is(err, parley.ErrUnattended):
		return nil // who comes finds it in the line
	case err != nil && !errors.Is(err, socket.ErrGone): // to one that is gone nothing was sent in vain
		return ignoreMissing(err)
	}
	return t.Store.SaidAgain(ctx, t.Project, t.Session, line)
}

// again sends the last frames of the newest messages up to an entry, since a time.
func (t *teller) again(ctx context.Context, upto parley.Seq, since time.Time) error {
	news, err := t.Store.Peek(ctx, parley.Caller{Project: t.Project, Server: true}, t.Session, max(upto, repeated)-repeated)
	if err != nil {
		return err
	}
	speaker := t.Speakers[news.Session.Channel]
	if speaker == nil {
		return nil
	}
	for _, e := range news.Entries {
		name := nameOf(e)
		if e.Seq > upto || e.Erased || name == "" || e.Time().Before(since) {
			continue
		}
		if _, err := t.surely(ctx, speaker.Final(Final{Message: name, Text: e.Text, At: e.Time()})); err != nil {
			return err
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, parley.ErrNotFound) {
		return nil
	}
	return err
}

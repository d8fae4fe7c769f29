package live

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"parley/shared/parley"
)

// A connection takes frames that are lost: for seconds while its end is on its way, and
// for minutes when its client has vanished without a word, which only the client itself
// finds out. So the last frame of a message, which has all of its text, counts as
// arrived only when the client was heard after it; whatever it says is a sign, and it
// says something every 15 s. Those of which this is not known are sent again on its next
// connection: twice is better than never. Pieces are not.

// Unsure is how long before a client was last heard what it was given may be lost all the
// same: what it said had been on its way, and so had the frame. Our choice.
const Unsure = 3 * time.Second

// follow tells what follows the mark, and then again what may be lost. Whoever has the
// lease meanwhile does the latter after having given it back.
func (t *teller) follow(ctx context.Context) error {
	if err := t.Store.Follow(ctx, t.Following, t.stretch); err != nil {
		return err
	}
	line, err := t.Store.LineNow(ctx, t.Project, t.Session)
	if err != nil || !line.Doubtful() {
		return err
	}
	_, note, free, err := t.Store.Followed(ctx, t.Following)
	if err != nil || !free {
		return ignoreMissing(err)
	}
	_, told := readNote(note)
	err = t.again(ctx, line, told.doubtful(line.Connection, line.Heard, line.Ended))
	if errors.Is(err, parley.ErrUnattended) {
		return nil // who comes finds it in the line
	}
	if err != nil {
		return ignoreMissing(err)
	}
	return t.Store.SaidAgain(ctx, t.Project, t.Session, line)
}

// again sends the last frames of messages, told by their numbers and when they were
// given, unless something that the visitor sent after that proves that they arrived.
func (t *teller) again(ctx context.Context, line parley.Line, told map[parley.Seq]time.Time) error {
	if len(told) == 0 {
		return nil
	}
	news, err := t.Store.Peek(ctx, server(t.Project), t.Session, slices.Min(slices.Collect(maps.Keys(told)))-1)
	if err != nil {
		return err
	}
	speaker := t.Speakers[news.Session.Channel]
	if speaker == nil {
		return nil
	}
	if err := t.heard(ctx, news.Session); err != nil {
		return err
	}
	var wrote time.Time
	for _, e := range news.Entries {
		if e.Author.Kind == parley.AuthorUser && e.Time().Before(line.Ended) {
			wrote = e.Time()
		}
	}
	for _, e := range news.Entries {
		name, at := nameOf(e), told[e.Seq]
		if at.IsZero() || e.Erased || name == "" || at.Before(wrote.Add(-Unsure)) {
			continue
		}
		if _, err := t.surely(ctx, speaker.Final(Final{Message: name, Text: t.written(news.Session.Channel, t.Project, e), At: e.Time()})); err != nil {
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

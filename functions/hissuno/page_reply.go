package hissuno

import (
	"context"
	"time"

	"parley/shared/parley"
)

// replyLife is how long a reply that no page has received is given to one that
// comes. Our choice: past it, the visitor has asked again.
const replyLife = 15 * time.Minute

// replyUnshown is how long a reply whose end was written to a page may go without
// the page asking anew, which one does at once. Our choice: where it is too long a
// reply is shown twice, where it is too short one is lost.
const replyUnshown = time.Minute

// awaited is the reply that a page waits for or has missed.
type awaited struct {
	// run is the active one, or that of missed; "" if there is neither, and of an
	// acknowledgement.
	run parley.RunID
	// missed is the reply that no page has received; its Seq is 0 if there is none, and
	// while a run is active.
	missed parley.Entry
}

func (a awaited) isMissed() bool { return a.missed.Seq > 0 }

// awaits returns what a page waits for that asks for a reply. ErrNotFound for a
// session that is not there.
func (p *page) awaits(ctx context.Context) (awaited, error) {
	if err := p.open(ctx); err != nil {
		return awaited{}, err
	}
	if p.session.Run != nil {
		return awaited{run: p.session.Run.ID}, nil
	}
	missed, err := p.missedReply(ctx)
	return awaited{missed.Run, missed}, err
}

// arrives is awaits for a page that has just been loaded.
func (p *page) arrives(ctx context.Context) (awaited, error) {
	a, err := p.awaits(ctx)
	if err == nil && p.back > p.reply {
		if err = p.storedAfterAll(ctx); err == nil {
			a, err = p.awaits(ctx)
		}
	}
	if err == nil {
		lost := p.replyMayBeLost() // the beacon of the page before may still be under way
		if err = p.counts(ctx, lost); err == nil && lost {
			a, err = p.awaits(ctx)
		}
	}
	if err != nil {
		return a, err
	}
	return a, p.replaced(ctx, 1)
}

// leaves is a page's beacon. A reply that is being written to it notes its end
// before the page is replaced, and is seen then, or not at all: replyWritten is for
// the page that asked.
func (p *page) leaves(ctx context.Context) error {
	err := p.peek(ctx)
	if err == nil {
		err = p.replaced(ctx, 2)
	}
	if err == nil {
		err = p.peek(ctx)
	}
	if err == nil {
		lost := p.replyMayBeLost()
		if err = p.counts(ctx, lost); err == nil && lost {
			err = p.note(ctx, parley.PageChange{Set: notes{noteBack: int64(p.reply), noteHeardAt: 0}})
		}
	}
	if err != nil {
		return err
	}
	return p.API.Store.Close(ctx, p.caller, p.id)
}

// together is how soon after each other the first requests of a page come. Our choice:
// several times what a browser takes between them.
const together = 10 * time.Millisecond

// heard notes that a page has asked anew since one left to which the end of a reply had
// just been written.
func (p *page) heard(ctx context.Context) error {
	if p.back <= p.reply || p.heardAt > 0 {
		return nil
	}
	return p.note(ctx, parley.PageChange{Same: notes{noteNumber: p.number, noteHeardAt: 0}, Set: notes{noteHeardAt: p.Now().UnixMilli()}})
}

// storedAfterAll notes, when a page is loaded, whether the one before had the reply
// that was taken back when it left.
func (p *page) storedAfterAll(ctx context.Context) error {
	change := parley.PageChange{Same: notes{noteReply: int64(p.reply)}, Set: notes{noteBack: 0}}
	if p.heardAt > 0 && p.Now().UnixMilli()-p.heardAt > together.Milliseconds() {
		change.Set[noteReply], change.Flag = int64(p.back), map[string]bool{noteReplyProven: true}
	}
	return p.note(ctx, change)
}

// counts notes what became of the reply that was written last to a page that is gone:
// it is lost, or it has arrived with what came with it.
func (p *page) counts(ctx context.Context, lost bool) error {
	switch {
	case lost:
		return p.replyUnwritten(ctx, p.reply)
	case p.shown > p.proven:
		return p.note(ctx, parley.PageChange{Set: notes{noteProven: int64(p.shown)}})
	}
	return nil
}

// replaced makes what was written to the page nothing to the next.
func (p *page) replaced(ctx context.Context, by int64) error {
	return p.note(ctx, parley.PageChange{Add: notes{noteNumber: by}})
}

// replyMayBeLost reports whether a page that is gone may not have received the
// reply whose end was written to it.
func (p *page) replyMayBeLost() bool {
	return p.reply > 0 && !p.replyProven && p.Now().UnixMilli()-p.replyAt <= replyUnshown.Milliseconds()
}

// replyWritten notes that the end of a reply is about to be written to the page, with
// letters up to an entry, 0 for none. It changes nothing for a page that has been
// replaced since it asked.
func (p *page) replyWritten(ctx context.Context, reply, letters parley.Seq) error {
	set := notes{noteReply: int64(reply), noteReplyAt: p.Now().UnixMilli()}
	if letters > 0 {
		set[noteShown] = int64(letters)
	}
	return p.note(ctx, parley.PageChange{Same: notes{noteNumber: p.number}, Below: notes{noteReply: int64(reply)},
		Set: set, Flag: map[string]bool{noteReplyProven: false}})
}

// replyUnwritten takes replyWritten back: the page had gone.
func (p *page) replyUnwritten(ctx context.Context, reply parley.Seq) error {
	set := notes{noteReply: int64(reply) - 1}
	if p.shown > p.proven {
		set[noteShown] = int64(p.proven)
	}
	return p.note(ctx, parley.PageChange{Same: notes{noteReply: int64(reply)}, Set: set})
}

// takes notes that a run is streamed to the page whose reply were an update otherwise.
func (p *page) takes(ctx context.Context, id parley.RunID) error {
	if run := p.session.Run; run != nil && run.ID == id && run.Waited && run.Seq != p.taken {
		p.taken = run.Seq
		return p.note(ctx, parley.PageChange{Set: notes{noteTaken: int64(run.Seq)}})
	}
	return nil
}

// late reports whether an entry came of a run that had waited for its turn, and was
// not streamed to a page.
func (p *page) late(e parley.Entry) bool { return e.Waited > 0 && e.Waited != p.taken }

// missedTail is how many of the newest entries are searched for a missed reply:
// it stands behind what came of the visitor's newest message.
const missedTail = 20

// missedReply returns the newest reply if no page has received it, a zero Entry if
// there is none.
func (p *page) missedReply(ctx context.Context) (parley.Entry, error) {
	if p.session.Seq <= p.reply {
		return parley.Entry{}, nil
	}
	for e, err := range p.API.Store.EntriesBefore(ctx, p.session, p.session.Seq+1, missedTail) {
		switch {
		case err != nil:
			return parley.Entry{}, err
		case e.Seq <= p.reply, e.IsMessage() && e.Author.Kind == parley.AuthorUser:
			return parley.Entry{}, nil
		case e.Run == "" && !acknowledges(e), p.late(e):
			continue
		case e.Status == parley.StatusCancelled, p.Now().Sub(e.Time()) > replyLife:
			return parley.Entry{}, nil
		}
		return e, nil
	}
	return parley.Entry{}, nil
}

// acknowledges reports whether an entry is the sentence that
// parley.SendRequest.Acknowledge asks for. It is read as a reply is.
func acknowledges(e parley.Entry) bool {
	return e.IsMessage() && e.Author.Kind == parley.AuthorSystem && e.Run == "" && e.Of != ""
}

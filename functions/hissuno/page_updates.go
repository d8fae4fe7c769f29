package hissuno

import (
	"context"
	"errors"
	"slices"
	"time"

	"parley/shared/parley"
)

// updates are what a page is told besides replies, on one connection: messages of
// operators and of Parley itself, and notices.
type updates struct {
	page
	// from is the entry up to which the page had everything when it asked, upto the
	// one up to which everything has been considered.
	from, upto parley.Seq
	// noticed is the entry up to which notices were written to this page already.
	noticed parley.Seq
	// first is the first entry that this connection has given, 0 while it gave none;
	// firstIsNotice says what it is.
	first         parley.Seq
	firstIsNotice bool
}

// askedAtOnce is how soon a page asks anew that has received something. Our choice:
// less than the 3 s after which a browser repeats a request of which nothing had
// arrived.
const askedAtOnce = 2500 * time.Millisecond

// provenLag bounds how many entries the page mark lags behind what is proven, so
// that an answer has to look at few. Our choice.
const provenLag = 20

// begin returns what a page that asks is to be told: what follows an entry, if
// resumed says that it has everything up to that one, else what is not proven to
// have arrived. A session that is not there has no updates. Asking is a sign of the
// page.
func (u *updates) begin(ctx context.Context, after parley.Seq, resumed bool) ([]parley.Entry, error) {
	u.from, u.upto = after, after
	if resumed {
		if idle, err := u.idle(ctx); idle || err != nil {
			return nil, err
		}
	}
	if err := u.open(ctx); errors.Is(err, parley.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	got := min(after, u.session.Seq)
	if !resumed {
		if err := u.heard(ctx); err != nil {
			return nil, err
		}
		got = u.provenByAsking()
	}
	u.from, u.upto = got, got
	give, err := u.collect(ctx)
	if err != nil {
		return nil, err
	}
	if len(give) > 0 {
		return give, u.noteWritten(ctx, got)
	}
	return nil, u.noteProven(ctx, max(got, u.upto), !resumed)
}

// errGone says that the page has sent its beacon.
var errGone = errors.New("the page has left")

// next returns what has come since. errGone for a page that has left since it asked.
func (u *updates) next(ctx context.Context) ([]parley.Entry, error) {
	asked := u.number
	err := u.peek(ctx)
	now := u.number
	u.number = asked // what is given goes to the page that asked
	if errors.Is(err, parley.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if hasLeft(asked, now) {
		return nil, errGone
	}
	give, err := u.collect(ctx)
	if err != nil || len(give) == 0 {
		return nil, err
	}
	return give, u.noteWritten(ctx, u.proven)
}

// idle reports whether a page that has everything up to an entry is to be told
// nothing, and nothing is to be noted of it. A page that stays open asks so over and
// over; what an older read misses it is told the next time.
func (u *updates) idle(ctx context.Context) (bool, error) {
	session, stored, err := u.API.Store.PeekPage(ctx, u.caller, u.id, false)
	if errors.Is(err, parley.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mark := pageMarkOf(stored)
	if session.Seq != u.upto || session.AwaitsSign() || mark.written > mark.proven || u.upto-mark.proven >= provenLag {
		return false, nil
	}
	u.session, u.pageMark = session, mark
	return true, nil
}

// provenByAsking returns the entry up to which updates are proven by a page that
// asks anew, from nothing.
func (u *updates) provenByAsking() parley.Seq {
	atOnce := u.Now().UnixMilli()-u.writtenAt <= askedAtOnce.Milliseconds()
	switch {
	case u.written <= u.proven:
	case atOnce && u.number-u.writtenTo <= 1: // the same page
		return max(u.proven, u.writtenNotice)
	case u.number == u.writtenTo:
		u.noticed = u.written
	}
	return u.proven
}

// collect returns what is to be told of the entries that the session has.
func (u *updates) collect(ctx context.Context) ([]parley.Entry, error) {
	var told []parley.Entry
	for e, err := range u.API.Store.EntriesAfter(ctx, u.session, u.upto) {
		if err != nil {
			return nil, err
		}
		u.upto = e.Seq
		is, err := u.isUpdate(ctx, e)
		if err != nil {
			return nil, err
		}
		if is {
			told = append(told, e)
		}
	}
	return u.give(newestNotices(told)), nil
}

// give returns what can be given with what this connection gave before: all up to a
// notice that would not be its first. That one is for the next connection.
func (u *updates) give(told []parley.Entry) []parley.Entry {
	for i, e := range told {
		if u.first > 0 && !e.IsMessage() {
			u.upto = e.Seq - 1
			return told[:i]
		}
		if u.first == 0 {
			u.first, u.firstIsNotice = e.Seq, !e.IsMessage()
		}
	}
	return told
}

// gave reports whether anything was given: a page that has received it asks anew.
func (u *updates) gave() bool { return u.first > 0 }

// isUpdate reports whether a page is told of an entry; of an event only as long as
// it says how the session stands.
func (u *updates) isUpdate(ctx context.Context, e parley.Entry) (bool, error) {
	switch {
	case e.Internal:
		return false, nil
	case e.IsMessage():
		return u.isLetter(e) || e.Author.Kind == parley.AuthorSystem && e.Run == "" && !acknowledges(e), nil
	case e.Seq <= u.noticed:
		return false, nil
	case givesToPerson(e):
		if u.session.Holder == parley.HolderAI {
			return false, nil
		}
		return u.agentHadIt(ctx, e.Seq)
	}
	return closes(e) && u.session.State != parley.StateOpen && e.Reason != string(parley.CloseByPage), nil
}

func givesToPerson(e parley.Entry) bool {
	return e.Event == parley.EventHandedOver || e.Event == parley.EventTakenOver
}

func closes(e parley.Entry) bool {
	return e.Event == parley.EventClosed || e.Event == parley.EventResolved
}

// newestNotices drops a notice that a later one of its kind repeats.
func newestNotices(told []parley.Entry) []parley.Entry {
	newest := map[bool]parley.Seq{}
	for _, e := range told {
		if !e.IsMessage() {
			newest[closes(e)] = e.Seq
		}
	}
	return slices.DeleteFunc(told, func(e parley.Entry) bool { return !e.IsMessage() && newest[closes(e)] != e.Seq })
}

// lookBack is how many entries are searched for how a person came to have a session.
const lookBack = 200

// agentHadIt reports whether the agent had the session before an event that gave it
// to a person: operators relieve each other, and come after they were asked for.
func (u *updates) agentHadIt(ctx context.Context, at parley.Seq) (bool, error) {
	for e, err := range u.API.Store.EntriesBefore(ctx, u.session, at, lookBack) {
		if err != nil || givesToPerson(e) {
			return false, err
		}
		if e.Event == parley.EventHandedBack {
			break
		}
	}
	return true, nil
}

// noteProven notes up to which entry the page is proven to have everything, if that
// matters by now. A page that asks anew has the reply whose end was written to it.
func (u *updates) noteProven(ctx context.Context, got parley.Seq, anew bool) error {
	reply := anew && u.reply > 0 && !u.replyProven
	unproven := got > u.proven && (u.written > u.proven || got-u.proven >= provenLag)
	if !reply && !unproven {
		return nil
	}
	change := parley.PageChange{Set: notes{noteProven: int64(max(got, u.proven))}}
	if reply {
		change.Same, change.Flag = notes{noteReply: int64(u.reply)}, map[string]bool{noteReplyProven: true}
	}
	return u.note(ctx, change)
}

// noteWritten notes what is about to be written, to a page that is proven to have
// everything up to an entry.
func (u *updates) noteWritten(ctx context.Context, got parley.Seq) error {
	notice := parley.Seq(0)
	if u.firstIsNotice {
		notice = u.first
	}
	return u.note(ctx, parley.PageChange{Set: notes{noteProven: int64(max(got, u.proven)), noteWritten: int64(u.upto),
		noteWrittenNotice: int64(notice), noteWrittenAt: u.Now().UnixMilli(), noteWrittenTo: u.number}})
}

package hissuno

// What a page has received
//
// The widget's page never says what it has received, and what is written to one that
// has just gone is written without an error. What a page has is seen only from what
// it asks next, and noted in the session's page mark (parley.PageMark):
//
//   - When it shows one message more, be it a reply or an operator's, it asks for its
//     updates anew: at once, and from nothing. That proves the reply whose end was
//     written before, and of updates that were just written the first one. It asks
//     anew for other reasons too, so it proves nothing of the other updates.
//   - When a connection was cut, it asks for what follows the last event that it saw.
//     That proves all events up to that one.
//   - When it is loaded it asks for the status (GET /chat), and when it is left it
//     sends a beacon. What was written to it is then nothing to the next page. A page
//     that is killed sends none, and of one that is loaded the first request for
//     updates may come before that for the status.
//   - When the visitor shuts the chat, it says so (a close that is no beacon), and asks
//     for no updates until it is loaded anew. Nor does one that shut it before
//     anything was said: that one shows a reply and asks for nothing.
//
// What asks anew after a beacon may be the page that left, which has stored a reply in
// its last moment, or the next, whose first requests come together. So that proves the
// reply if the next page is loaded some time later.
//
// A page that has sent its beacon lives on for a moment, and stores what it is given:
// the end of a reply, and updates, are held back from it. If it stays after all, it
// resumes the connection that was cut, and has shown thereby that it is there.
//
// What is not proven is given again, or taken as received, by what hurts less:
//
//   - A message of an operator or of Parley itself is given again until it is proven:
//     a page knows it by its id and drops it. None is lost; a page that is loaded anew
//     may show one twice, which its own storage had already.
//   - A notice (a person has the session, or it is closed) has no id: a page shows it
//     each time. So it is given only as the first update of an answer, where asking
//     anew at once proves it, and not twice to the same page: a page that asks anew
//     later, and had not received it, has lost it. The next page may show it again.
//   - A page that asks for no updates is given messages of people with the next reply,
//     in front of it, or alone where a person has the session (page_letters.go).
//   - The reply to a message that came while another was written is an update, for the
//     widget streams what it asked for and nothing after it; unless a page that was
//     loaded meanwhile streams it.
//   - A reply is given, whole, to a page that comes within replyLife and finds none
//     that was written to a page. If a page leaves, or the next is loaded, within
//     replyUnshown and before the reply is proven, the next gets it: one that had it
//     in its storage shows it twice. Later it counts as received: a page that was
//     killed just before it arrived, and loaded anew later than that, has lost it.

import (
	"context"
	"errors"

	"parley/shared/parley"
)

// page is the page that makes a request.
type page struct {
	function
	caller  parley.Caller
	project *parley.Project
	id      parley.SessionID
	// session is as it was last read; nil while there is none.
	session *parley.Session
	pageMark
}

// pageMark is what is known of what pages have received of a session.
type pageMark struct {
	stored parley.PageMark
	// number is the page's: it rises by 1 when one is loaded and by 2 when one is left.
	// Numbers that differ by 1 may be the same page's, which asked for its updates
	// before it asked for the status.
	number int64
	// reply is the newest reply whose end was written to a page, at replyAt; replyProven
	// says that it is proven to have arrived.
	reply       parley.Seq
	replyAt     int64
	replyProven bool
	// proven is the entry up to which updates are proven to have arrived.
	proven parley.Seq
	// written is the newest entry that an answer with updates went up to, at writtenAt,
	// to the page writtenTo. writtenNotice is the notice with which it began, if it did.
	written, writtenNotice parley.Seq
	writtenAt, writtenTo   int64
	// back is the reply that was taken back as lost when the page left, heardAt when a
	// page asked anew since, and before one was loaded; 0 if none did.
	back    parley.Seq
	heardAt int64
	// taken is the message whose answer, which waits for its turn or did, is streamed
	// to a page, and no update therefore.
	taken parley.Seq
	// shut is the number, plus 1, of a page whose visitor shut the chat: it asks for no
	// updates any more.
	shut int64
	// shown is the entry up to which letters were written to a page with a reply.
	shown parley.Seq
}

// The names of what is noted, as they are stored.
const (
	noteNumber        = "loads"
	noteReply         = "reply"
	noteReplyAt       = "reply_at"
	noteReplyProven   = "sure"
	noteProven        = "got"
	noteWritten       = "sent"
	noteWrittenNotice = "first"
	noteWrittenAt     = "sent_at"
	noteWrittenTo     = "sent_loads"
	noteBack          = "back"
	noteHeardAt       = "heard_at"
	noteTaken         = "taken"
	noteShut          = "shut"
	noteShown         = "shown"
)

// notes are numbers to be noted, or met, by name.
type notes = map[string]int64

func pageMarkOf(m parley.PageMark) pageMark {
	seq := func(name string) parley.Seq { return parley.Seq(m.Number(name)) }
	return pageMark{stored: m, number: m.Number(noteNumber),
		reply: seq(noteReply), replyAt: m.Number(noteReplyAt), replyProven: m.Flag(noteReplyProven), proven: seq(noteProven),
		written: seq(noteWritten), writtenNotice: seq(noteWrittenNotice), writtenAt: m.Number(noteWrittenAt), writtenTo: m.Number(noteWrittenTo),
		back: seq(noteBack), heardAt: m.Number(noteHeardAt), taken: seq(noteTaken), shut: m.Number(noteShut), shown: seq(noteShown)}
}

// open reads the session and its page mark. It is a sign of the page.
func (p *page) open(ctx context.Context) error {
	return p.read(p.API.Store.OpenPage(ctx, p.caller, p.id))
}

// peek is open without being a sign of the page.
func (p *page) peek(ctx context.Context) error {
	return p.read(p.API.Store.PeekPage(ctx, p.caller, p.id, true))
}

// read keeps what was read before if that is not known any better.
func (p *page) read(session *parley.Session, mark parley.PageMark, err error) error {
	if err == nil || errors.Is(err, parley.ErrNotFound) {
		p.session, p.pageMark = session, pageMarkOf(mark)
	}
	return err
}

// note changes the page mark.
func (p *page) note(ctx context.Context, ch parley.PageChange) error {
	return p.API.Store.ChangePage(ctx, &p.stored, ch)
}

// gone reports whether the page had left when a change of the page mark was refused.
func (p *page) gone() bool { return hasLeft(p.number, p.stored.Number(noteNumber)) }

// hasLeft reports whether a page that had this number has left, since the number now
// is another: one that is only loaded besides counts 1.
func hasLeft(page, now int64) bool { return now-page >= 2 }

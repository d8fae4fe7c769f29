package parley

import (
	"context"
	"errors"
	"time"

	"parley/shared/socket"
	"parley/shared/table"
)

// sendBuild makes the transaction of one SendRequest.
type sendBuild struct {
	store   *Store
	project *Project
	caller  Caller
	request SendRequest
	epoch   string
	parts   []Part
	files   []table.Action

	seen  senderView
	spent *spending
	of    Entry // the message to be answered
	first LogEntry
	about About
}

// begin reads the session, or makes a new one in memory.
func (b *sendBuild) begin(ctx context.Context) (*Session, error) {
	s, r := b.store, b.request
	if r.Session != "" && !r.Begins {
		v, err := s.viewOfSender(ctx, b.caller, r.Session, ContextEntries)
		if errors.Is(err, ErrNotFound) && b.caller.Capability && r.Retry == "" && !r.Begun {
			if !b.caller.proven() {
				if _, err := s.letIn(b.project, r.Channel, b.caller, nil); err != nil {
					return nil, err
				}
			}
			if err := s.takeIdentify(ctx, b.project, b.caller); err != nil {
				return nil, err
			}
			return b.fresh(r.Session)
		}
		if errors.Is(err, ErrNotFound) {
			return nil, b.spent.insteadOf(ctx, err)
		}
		if err != nil {
			return nil, err
		}
		b.seen, b.spent.visitor = v, v.visitor
		if r.Retry != "" {
			b.of, err = s.retried(ctx, b.project.ID, v.session, r.Retry)
		}
		return v.session, err
	}
	if err := b.spent.foresee(ctx); err != nil {
		return nil, err
	}
	if r.Begins {
		return b.fresh(r.Session)
	}
	return b.fresh(s.firstSession(b.caller, r.ID))
}

// fresh is the session that the message begins.
func (b *sendBuild) fresh(id SessionID) (*Session, error) {
	return b.store.fresh(b.project, b.caller, id, b.request.Channel, b.request.Agent, b.request.Language)
}

func (b *sendBuild) build(c *change) error {
	if b.request.Retry != "" && c.session.Rev != b.seen.session.Rev {
		return errStale
	}
	if b.seen.session == nil && c.was != nil {
		if c.was.Owner.Visitor != b.caller.Visitor || b.caller.Channel != "" && c.was.Channel != b.caller.Channel {
			return errSessionTaken()
		}
		if b.request.Begins {
			return errStood
		}
	}
	if most := c.session.Channel.MaxMessageBytes(); exceeds(b.request.Content, most) || !c.session.Channel.carries(b.request.Content) {
		return tooLarge("content", most)
	}
	greeting := c.session.greeted(b.request.Greeting)
	if err := c.writtenTo(b.caller.Author()); err != nil {
		return err
	}
	if err := b.adopt(c); err != nil {
		return err
	}
	if b.caller.Capability && b.caller.proven() && (c.was == nil || c.was.Owner.Contact == "") {
		// The session's visitor is new to the contact: from now on a block finds it.
		c.act(table.Check(contactKey(b.project.ID, b.caller.Contact), table.Missing("blocked")),
			func(table.Item) error { return errBlocked() })
	}
	if b.request.Language != "" {
		c.session.Language = b.request.Language
	}
	if b.request.LeaveMode {
		c.session.Mode = ""
	}
	if b.request.Retry == "" {
		b.of = Entry{ID: b.request.ID, Author: b.caller.Author(), Text: b.request.Content, Parts: b.parts, Data: b.request.Data, Greeting: greeting}
		if err := c.add(&b.of); err != nil {
			return err
		}
	}
	for _, f := range b.files {
		c.act(f, func(table.Item) error { return errAttachment("attachment_unknown") })
	}
	for _, step := range []func(*change) error{b.start, b.reserve, b.accompany, b.point, b.note, b.tell} {
		if err := step(c); err != nil {
			return err
		}
	}
	return b.spent.admit(c, burst, b.first.Reserved)
}

// adopt gives a session that nobody has signed for to the contact who now does.
func (b *sendBuild) adopt(c *change) error {
	if !b.caller.Capability || !b.caller.proven() || c.session.Owner.Contact != "" {
		return nil
	}
	c.session.Owner.Contact, c.session.Owner.Proven, c.moved = b.caller.Contact, true, true
	return c.event(EventIdentified, b.caller.Author())
}

// start decides whether there is a run, and when.
func (b *sendBuild) start(c *change) error {
	session, r := c.session, b.request
	b.first = LogEntry{By: b.epoch, Kind: LogNone, At: c.now.UnixMilli(), Session: session.ID,
		Seq: b.of.Seq, Of: b.of.ID, Hash: r.hash(), Visitor: b.caller.Visitor, Address: b.store.AddressHash(b.caller),
		Leave: r.Leave.Milliseconds()}
	run := QueuedRun{ID: RunID(r.ID), Seq: b.of.Seq, Since: b.first.At, Waits: r.Claim}
	if r.Retry != "" {
		run.Of = b.of.ID
	}
	switch {
	case session.Holder != HolderAI && r.Retry != "":
		return errNotRetryable()
	case session.Holder != HolderAI && r.Acknowledge:
		return c.add(&Entry{Author: Author{Kind: AuthorSystem}, Of: b.of.ID,
			Text: b.project.Say(TextAcknowledged, session.Language)})
	case session.Holder != HolderAI:
	case session.Run == nil:
		b.first.Kind = LogPending
		if r.Claim {
			b.first.Kind = LogClaim
		}
		session.Run = &run
	case r.IfBusy == BusyRefuse && r.Retry != "":
		return errBusy(session.ID, session.Run.ID)
	case r.IfBusy == BusyRefuse:
		b.first.Busy = session.Run.ID
	case len(session.Queue) >= MaxQueue:
		return &Error{Kind: ErrLimit, Code: "queue_full", Text: "too many messages wait for an answer"}
	default:
		b.first.Kind = LogQueued
		session.Queue = append(session.Queue, run)
	}
	return nil
}

// reserve sets aside tokens of the visitor's budget if there will be a run.
func (b *sendBuild) reserve(c *change) error {
	if b.first.Kind == LogNone {
		return nil
	}
	agent, err := b.project.Answering(c.session)
	b.first.Reserved, b.first.Day = b.project.ReplyAllowance(agent), day(c.now)
	return err
}

// accompany keeps what came along with the message, if a run will use it.
func (b *sendBuild) accompany(c *change) error {
	if b.first.Kind == LogNone || b.request.Extras.Empty() {
		return nil
	}
	b.first.Extras = true
	return c.put(b.request.Extras.item(b.project.ID, RunID(b.request.ID), c.now))
}

// lookAfter is when the sweep looks at a run: late enough that most have ended,
// early enough to find a dead one within two minutes.
const lookAfter = time.Minute

// point stores entry 0 of the log, which is the pointer of the client id too.
func (b *sendBuild) point(c *change) error {
	item, err := b.first.item(b.project.ID, RunID(b.request.ID))
	if err != nil {
		return err
	}
	if b.first.Kind != LogNone {
		setDue(item, c.now.Add(lookAfter), b.project.ID, string(c.session.ID))
	}
	c.act(table.Put(item, table.Absent()), func(table.Item) error { return errReplay })
	return nil
}

// note has the connection know that its session has begun. One that has ended
// meanwhile stops no message.
func (b *sendBuild) note(c *change) error {
	if b.request.On.ID == "" {
		return nil
	}
	begun := table.Set(connectionKey(b.request.On), table.Item{"begun": true},
		table.Exists(), table.Missing("left"), table.Equal("session", string(c.session.ID)))
	c.act(begun, func(table.Item) error {
		b.request.On = socket.Ref{}
		return nil
	})
	return nil
}

// tell stores what the page says of itself, where that is new.
func (b *sendBuild) tell(c *change) error {
	about := b.seen.about
	if b.request.Page != (Page{}) {
		about.Page = b.request.Page
	}
	if b.request.Metadata != nil {
		about.Metadata = b.request.Metadata
	}
	b.about = about
	if about.empty() || sameJSON(about, b.seen.about) {
		return nil
	}
	return c.put(about.item(b.project.ID, c.session.ID))
}

func (b *sendBuild) sent(session *Session) (Sent, error) {
	sent := Sent{Session: session, Message: b.of}
	if b.first.Busy != "" {
		return sent, errBusy(session.ID, b.first.Busy)
	}
	if b.first.Kind == LogNone {
		return sent, nil
	}
	sent.Ref = RunRef{b.project.ID, session.ID, RunID(b.request.ID)}
	sent.Pending = b.first.Kind == LogPending
	if b.first.Kind == LogClaim {
		sent.Claim = &Claim{Ref: sent.Ref, Epoch: b.epoch, Next: 1, First: b.first,
			Context: Context{Session: session, Question: b.of, Entries: b.seen.entries, About: b.about, Extras: b.request.Extras,
				Contact: b.seen.contact}}
	}
	return sent, nil
}

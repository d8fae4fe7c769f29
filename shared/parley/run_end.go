package parley

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/shared/table"
)

// End is how a run is to end.
type End struct {
	// Next is the number of the end in the run's log: one more than what was
	// read or appended.
	Next int
	// Of is the message that the run answers.
	Of     EntryID
	Status RunStatus
	// Reason is for operators and logs, never for visitors.
	Reason string
	// Text is the whole reply; Unflushed is its tail that no log entry holds yet.
	Text, Unflushed string
	Sources         []Source
	// Calls are the actions that the agent called, Mode the mode in which it
	// leaves the session, nil where that stays as it is.
	Calls []ActionCall
	Mode  *string
	// System says that Text is a sentence of Parley's own, not the agent's.
	System bool
	// LikelyResolved says that the reply may well have solved the issue.
	LikelyResolved bool
	// Truncated says that the limit on a reply's length cut it.
	Truncated bool
	// Handover asks for a human, HandoverReason says why, for operators only;
	// Goodbye closes the session after its grace period.
	Handover       bool
	HandoverReason string
	Goodbye        bool
}

// Ended is what came of ending a run.
type Ended struct {
	Status RunStatus
	// Entry is the reply, or the event that stands for none.
	Entry Entry
	// Session is the session after it.
	Session *Session
	// Next is the run whose turn it is now and that nobody waits to generate:
	// invoke the responder for it. Zero if there is none.
	Next RunRef
}

// EndRun ends the active run of a session in one transaction: the end of its
// log, its reply in the session, and the session free, or busy with the run
// that waited. known is the session as last seen, or nil. EndRun fails with
// *Standing if the log has grown, and with run_over, of kind ErrConflict, if
// the session is done with the run: then the log tells what happened.
func (s *Store) EndRun(ctx context.Context, ref RunRef, known *Session, e End) (Ended, error) {
	p, err := s.Project(ctx, ref.Project)
	if err != nil {
		return Ended{}, err
	}
	if known == nil {
		if known, err = s.head(ctx, ref.Project, ref.Session); err != nil {
			return Ended{}, err
		}
	}
	var out Ended
	var unbegun []RunID
	session, err := s.change(ctx, p, known, func(c *change) error {
		if c.session.Run == nil || c.session.Run.ID != ref.Run {
			return errOver()
		}
		entry, err := c.finish(ref.Run, e, asStanding)
		if err != nil {
			return err
		}
		out = Ended{Status: e.Status, Entry: entry}
		if err := c.control(e); err != nil {
			return err
		}
		c.promote()
		out.Next, unbegun = c.promoted, c.unbegun
		return nil
	})
	out.Session = session
	if err == nil {
		s.giveBack(ctx, p.ID, unbegun)
	}
	return out, err
}

// giveBack returns to the visitors' budgets what was set aside for runs that
// ended before anybody claimed them. Like Settle it is not repeated.
func (s *Store) giveBack(ctx context.Context, p ProjectID, runs []RunID) {
	for _, run := range runs {
		first, err := s.pointer(ctx, p, run)
		if err == nil && first.Kind != LogClaim {
			_ = s.Settle(ctx, p, first, 0)
		}
	}
}

func errOver() error { return conflict("run_over", "this run has ended") }

// finish ends one run: the entry that came of it, and the end of its log.
func (c *change) finish(run RunID, e End, onRefusal func(table.Item) error) (Entry, error) {
	agent, err := c.project.Answering(c.session)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Run: run, Of: e.Of, Status: e.Status, Reason: e.Reason, Text: e.Text, LikelyResolved: e.LikelyResolved, Truncated: e.Truncated,
		Author: Author{Kind: AuthorAI, ID: string(agent.ID), Name: agent.Name, Picture: agent.Picture}}
	if e.System {
		entry.Author = Author{Kind: AuthorSystem}
	}
	if r := c.session.Run; r != nil && r.ID == run && r.Waited {
		entry.Waited = r.Seq
	}
	parts, asks := callParts(e.Calls)
	entry.Parts = parts
	for _, source := range e.Sources {
		entry.Parts = append(entry.Parts, Part{Source: &source})
	}
	if e.Text == "" && !asks {
		entry.Event, entry.Author = EventNoReply, Author{Kind: AuthorSystem}
	}
	if err := c.add(&entry); err != nil {
		return Entry{}, err
	}
	end := LogEntry{N: e.Next, By: c.nonce, Kind: LogEnd, At: c.now.UnixMilli(), Text: e.Unflushed,
		Status: e.Status, Reason: e.Reason, Seq: entry.Seq}
	item, err := end.item(c.project.ID, run)
	if err != nil {
		return Entry{}, err
	}
	c.act(table.Put(item, table.Absent()), onRefusal)
	c.forget(run)
	c.ended = append(c.ended, run)
	if e.Next == 1 {
		c.unbegun = append(c.unbegun, run)
	}
	return entry, nil
}

// forget takes a run out of the session.
func (c *change) forget(run RunID) {
	if r := c.session.Run; r != nil && r.ID == run {
		c.session.Run = nil
	}
	c.session.Queue = slices.DeleteFunc(c.session.Queue, func(q QueuedRun) bool { return q.ID == run })
}

// leaveMargin is how long before QueuedFor nobody relies on a request any more, so
// that it has seen that its turn has come. Who claims first generates, if both do.
const leaveMargin = time.Second

// promote makes the first run that waits the active one, and notes it if
// nobody stays to generate it.
func (c *change) promote() {
	session := c.session
	if session.Run != nil || len(session.Queue) == 0 || session.Holder != HolderAI {
		return
	}
	next := session.Queue[0]
	session.Queue = session.Queue[1:]
	waits := next.Waits && SilentFor(c.now, next.Since) < QueuedFor-leaveMargin
	next.Since, next.Waited = c.now.UnixMilli(), true
	session.Run = &next
	if !waits {
		c.promoted = RunRef{session.Project, session.ID, next.ID}
	}
}

// control carries out what the agent's result asks for.
func (c *change) control(e End) error {
	if e.Mode != nil {
		c.session.Mode = *e.Mode
	}
	if e.Handover && c.session.Holder == HolderAI {
		if err := c.handOver(e.HandoverReason); err != nil {
			return err
		}
		return c.dropQueue(StatusTakenOver)
	}
	if e.Goodbye && len(c.session.Queue) == 0 && c.session.State == StateOpen {
		c.closing(CloseByGoodbye)
	}
	return nil
}

// dropQueue ends every run that waits, none of which has begun.
func (c *change) dropQueue(status RunStatus) error {
	for _, q := range slices.Clone(c.session.Queue) {
		if _, err := c.finish(q.ID, End{Next: 1, Of: q.asked(), Status: status}, asGrown); err != nil {
			return err
		}
	}
	return nil
}

// errGrown says that a log has more entries than was read.
var errGrown = errors.New("the log has grown")

func asGrown(table.Item) error { return errGrown }

func asStanding(stood table.Item) error {
	if stood == nil {
		return errGrown
	}
	e, err := logEntryFrom(stood)
	if err != nil {
		return err
	}
	return &Standing{e}
}

// stop ends runs of a session, all of them or one, in one transaction with
// whatever else then does.
func (s *Store) stop(ctx context.Context, p *Project, session *Session, only RunID, status RunStatus, then func(*change) error) (Stopped, error) {
	for range changeTries {
		ends, err := s.readEnds(ctx, p.ID, session, only, status)
		if err != nil {
			return Stopped{}, err
		}
		var out Stopped
		var unbegun []RunID
		out.Session, err = s.change(ctx, p, session, func(c *change) error {
			if !c.sameRuns(session) {
				return errGrown
			}
			out = Stopped{}
			for _, run := range session.runs() {
				e, ok := ends[run.ID]
				if !ok {
					continue
				}
				entry, err := c.finish(run.ID, e, asGrown)
				if err != nil {
					return err
				}
				if out.Entry == nil {
					out.Entry = &entry
				}
			}
			if err := then(c); err != nil {
				return err
			}
			out.Next, unbegun = c.promoted, c.unbegun
			return nil
		})
		if err == nil {
			s.giveBack(ctx, p.ID, unbegun)
		}
		if !errors.Is(err, errGrown) {
			return out, err
		}
		if session, err = s.head(ctx, p.ID, session.ID); err != nil {
			return Stopped{}, err
		}
	}
	return Stopped{}, unavailable(table.ErrNotDone)
}

// Stopped is what came of ending runs early.
type Stopped struct {
	Session *Session
	// Entry came of the first run that was ended; nil if there was none.
	Entry *Entry
	// Next is as in Ended.
	Next RunRef
}

// sameRuns reports whether the session still has the runs that ends were read of.
func (c *change) sameRuns(read *Session) bool {
	return slices.EqualFunc(c.session.runs(), read.runs(), func(a, b QueuedRun) bool { return a.ID == b.ID })
}

// readEnds reads where the logs of a session's runs stand, to end them there.
func (s *Store) readEnds(ctx context.Context, p ProjectID, session *Session, only RunID, status RunStatus) (map[RunID]End, error) {
	ends := map[RunID]End{}
	for _, run := range session.runs() {
		if only != "" && run.ID != only {
			continue
		}
		log, err := s.ReadLog(ctx, RunRef{p, session.ID, run.ID}, 0, true)
		if err != nil {
			return nil, err
		}
		ends[run.ID] = End{Next: len(log), Of: log[0].Of, Status: status, Text: Joined(log), Calls: CallsOf(log)}
	}
	return ends, nil
}

// Joined returns the text of a log: the reply as far as it is durable.
func Joined(log []LogEntry) string {
	var b strings.Builder
	for _, e := range log {
		b.WriteString(e.Text)
	}
	return b.String()
}

// Cancel ends the session's active run and every run that waits, or only the
// run named. When it returns the session is free of them, and what had been
// written is stored. With nothing to cancel it changes nothing.
func (s *Store) Cancel(ctx context.Context, c Caller, id SessionID, only RunID) (Stopped, error) {
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil {
		return Stopped{}, err
	}
	return s.cancel(ctx, c, p, session, only)
}

func (s *Store) cancel(ctx context.Context, c Caller, p *Project, session *Session, only RunID) (Stopped, error) {
	return s.stop(ctx, p, session, only, StatusCancelled, func(ch *change) error {
		if len(ch.actions) == 0 {
			return errNothing
		}
		ch.promote()
		return s.guard(ch, c)
	})
}

// CancelActive is Cancel of the run that is active when it is carried out; what waits
// behind it is answered.
func (s *Store) CancelActive(ctx context.Context, c Caller, id SessionID) (Stopped, error) {
	p, session, err := s.openToChange(ctx, c, id)
	if err != nil || session.Run == nil {
		return Stopped{Session: session}, err
	}
	return s.cancel(ctx, c, p, session, session.Run.ID)
}

// runs are the active run and those that wait for it, in a slice of their own.
func (s *Session) runs() []QueuedRun {
	if s.Run == nil {
		return slices.Clone(s.Queue)
	}
	return append([]QueuedRun{*s.Run}, s.Queue...)
}

package parley

import (
	"context"
	"unicode/utf8"

	"parley/shared/table"
)

// ReplyRequest is a message by an operator or the project's server.
type ReplyRequest struct {
	// ID is the client's id of the message, unique in the project like a
	// visitor's: the same id again changes nothing and has the same outcome. Required.
	ID          EntryID
	Session     SessionID
	Content     string
	Attachments []FileID // that the caller uploaded and completed within a day
	// Internal makes it a note: for operators only, without any effect on the session.
	Internal bool
	// KeepHolder leaves the session to the agent, or to whoever waits for it.
	// Without it whoever writes has the session, unless a human has it already.
	KeepHolder bool
}

// Replied is what became of a ReplyRequest.
type Replied struct {
	Session *Session
	Message Entry
	// Replayed says that the id was known: nothing was changed.
	Replayed bool
}

func (r ReplyRequest) check() error {
	if err := CheckID("messageId", string(r.ID)); err != nil {
		return err
	}
	switch {
	case len(r.Content) > MaxMessageBytes:
		return tooLarge("content", MaxMessageBytes)
	case !utf8.ValidString(r.Content):
		return invalid("content", "content is not UTF-8")
	case r.Content == "" && len(r.Attachments) == 0:
		return invalid("content", "a message needs content or an attachment")
	case len(r.Attachments) > MaxAttachments:
		return invalid("attachments", "a message carries at most %d attachments", MaxAttachments)
	}
	return nil
}

// hash is of everything that makes a repetition the same message. It is no
// visitor's: those have no author.
func (r ReplyRequest) hash(c Caller) string {
	return hashOf("reply", c.Operator, r.Session, r.Content, r.Attachments, r.Internal)
}

// Reply stores a message of an operator, or a note. A message opens a session
// that is closed or resolved; one that is spam refuses with session_closed, of
// kind ErrConflict. Where it takes the session over, what the agent writes and
// what waits is ended in the same transaction. message_id_conflict if the id
// was used for something else.
func (s *Store) Reply(ctx context.Context, c Caller, by Author, r ReplyRequest) (Replied, error) {
	if err := r.check(); err != nil {
		return Replied{}, err
	}
	out, err := s.reply(ctx, c, by, r)
	return orReplay(out, err, func() (Replied, error) { return s.replayReply(ctx, c, r) })
}

func (s *Store) reply(ctx context.Context, c Caller, by Author, r ReplyRequest) (Replied, error) {
	if !c.staff() {
		return Replied{}, errOperatorsOnly()
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Replied{}, err
	}
	b := &replyBuild{store: s, request: r, caller: c, by: by}
	files := sendBuild{store: s, project: p, caller: c, request: SendRequest{Attachments: r.Attachments}}
	var stored *Session
	err = s.whileJoining(ctx, c, r.Session, func(session *Session, part participation) (err error) {
		if b.part = part; len(r.Attachments) > 0 && b.files == nil {
			if err := files.attach(ctx); err != nil {
				return err
			}
			b.parts, b.files = files.parts, files.files
		}
		if b.takes = r.takes(session); !b.takes {
			stored, err = s.change(ctx, p, session, b.build)
			return err
		}
		stopped, err := s.stop(ctx, p, session, "", StatusTakenOver, b.build)
		stored = stopped.Session
		return err
	})
	return Replied{Session: stored, Message: b.message}, err
}

// takes reports whether the message takes the session over.
func (r ReplyRequest) takes(s *Session) bool {
	return !r.Internal && !r.KeepHolder && s.Holder != HolderHuman
}

// replyBuild makes the transaction of one ReplyRequest.
type replyBuild struct {
	store   *Store
	request ReplyRequest
	caller  Caller
	by      Author
	parts   []Part
	files   []table.Action
	// takes is what was decided of the session as it was read, part what was read
	// of the operator.
	takes   bool
	part    participation
	message Entry
}

func (b *replyBuild) build(c *change) error {
	if b.request.takes(c.session) != b.takes {
		return errStale
	}
	if most := c.session.Channel.MaxHumanBytes(); !b.request.Internal && (len(b.request.Content) > most || !c.session.Channel.carries(b.request.Content)) {
		return tooLarge("content", most)
	}
	if !b.request.Internal {
		if err := b.open(c); err != nil {
			return err
		}
	}
	b.message = Entry{ID: b.request.ID, Author: b.by, Internal: b.request.Internal, Text: b.request.Content, Parts: b.parts}
	if err := c.add(&b.message); err != nil {
		return err
	}
	for _, f := range b.files {
		c.act(f, func(table.Item) error { return errAttachment("attachment_unknown") })
	}
	if !b.request.Internal {
		c.answered()
	}
	return c.pointAt(b.message, b.request.hash(b.caller))
}

// open makes the session one in which the visitor is answered by a human, as
// far as the request wants that.
func (b *replyBuild) open(c *change) error {
	if c.session.State == StateSpam {
		return conflict("session_closed", "this session is spam; open it first")
	}
	c.archive(false)
	if err := c.reopen(b.by); err != nil {
		return err
	}
	switch {
	case b.takes:
		return c.takeOver(b.part, b.by)
	case c.join(b.part):
		return c.add(&Entry{Event: EventJoined, Author: b.by, Joins: true})
	}
	return nil
}

// replayReply returns the outcome of a request whose client id is known.
// ErrNotFound if it is not known.
func (s *Store) replayReply(ctx context.Context, c Caller, r ReplyRequest) (Replied, error) {
	first, err := s.known(ctx, c.Project, r.ID, r.Session, r.hash(c))
	if err != nil {
		return Replied{}, err
	}
	session, err := s.open(ctx, c, first.Session, true)
	if err != nil {
		return Replied{}, err
	}
	message, err := s.EntryAt(ctx, c.Project, session.ID, first.Seq)
	return Replied{Session: session, Message: message, Replayed: true}, err
}

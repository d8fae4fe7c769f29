package parley

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"parley/shared/socket"
)

// Limits of a message. Our choices, except where said.
const (
	// MaxMessageBytes is the longest message text, in bytes of UTF-8.
	MaxMessageBytes = 16 << 10
	// MaxAttachments is how many files one message carries.
	MaxAttachments = 10
	// MaxMetadata is how many pairs a session's metadata or attributes hold,
	// MaxMetadataBytes the longest key or value.
	MaxMetadata      = 50
	MaxMetadataBytes = 500
	// MaxPageBytes is the longest page address or title.
	MaxPageBytes = 2000
	// MaxLanguageBytes is the longest language tag (RFC 5646, section 4.4.1).
	MaxLanguageBytes = 35
	// ContextEntries is how many of the newest entries an agent sees.
	ContextEntries = 30
)

// Busy is what a message wants when it meets a run.
type Busy string

// The wishes. BusyQueue is the default.
const (
	BusyQueue     Busy = "queue"     // stored; answered in its turn
	BusyRefuse    Busy = "refuse"    // stored; a conflict that names the run
	BusySupersede Busy = "supersede" // what runs and waits ends as cancelled in the same transaction
)

// SendRequest is a visitor's message, or an explicit retry.
type SendRequest struct {
	// ID is the client's id of the message or retry. The same id again changes
	// nothing and has the same outcome. Required.
	ID EntryID
	// Session continues that session; "" begins one.
	Session SessionID
	// Begun says that the session has to stand already. Else whoever holds nothing
	// but an id begins the session of that id with the message.
	Begun bool
	// Begins says that the message is expected to be the first of Session, which
	// begins with it under that id: then nothing is read before. If the session is
	// there and the caller's the message continues it; session_id_conflict if it is
	// somebody else's.
	Begins bool
	// On is the connection that the message came on, where it does not know yet that
	// Session has begun: it is noted there in the same transaction, unless the connection
	// has ended. 2 write units.
	On       socket.Ref
	Channel  Channel
	Agent    AgentID // for a new session; "" is the default agent
	Language string  // BCP 47, of the session from here on; "" leaves it as it is
	Content  string
	// Attachments are files that the caller uploaded and completed within a day.
	Attachments []FileID
	// Refs are the ids under which a dialect's client knows attachments of these,
	// and what it calls them.
	Refs map[FileID]Ref
	// Data is kept with the message for people, not for agents: a JSON object of
	// at most MaxDataBytes, or nil.
	Data     json.RawMessage
	Page     Page
	Metadata map[string]string
	IfBusy   Busy
	// Retry asks for another run of the message whose newest run this was, which
	// must have failed or be incomplete. No content then.
	Retry RunID
	// Claim says that the caller's request stays open until the run ends and
	// will generate it.
	Claim bool
	// Leave is how long a responder leaves the run to a reader who is expected
	// to come and generate it, at most MaxLeave. Not with Claim.
	Leave time.Duration
	// Greeting is what the page showed before the message, oldest first: at most
	// MaxGreeting messages. It is kept of the first message of a session alone.
	Greeting []Said
	// Acknowledge has a sentence of Parley's own follow the message where a human
	// has the session, so that the page has something to show.
	Acknowledge bool
	// Extras are for the run that answers the message.
	Extras Extras
	// LeaveMode ends the mode that the session is in.
	LeaveMode bool
}

// MaxDataBytes is the longest SendRequest.Data, in bytes of JSON. Our choice.
const MaxDataBytes = 16 << 10

// Ref is an attachment as a dialect's client knows it. What it says of the
// file is shown to that client alone.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"`
}

func (r Ref) check() error {
	if len(r.ID) > MaxIDBytes || exceeds(r.Name, MaxNameBytes) || len(r.Type) > MaxIDBytes {
		return tooLarge("attachments", MaxNameBytes)
	}
	if !utf8.ValidString(r.ID+r.Name+r.Type) || r.Size < 0 {
		return invalid("attachments", "an attachment has id, name, size and type")
	}
	return nil
}

const (
	// MaxLeave bounds SendRequest.Leave: a responder waits so long. Our choice.
	MaxLeave = 5 * time.Second
	// QueuedFor is how long the request of a queued message stays open for its turn.
	// Our choice: a quick reply ends within it, and no slow one keeps requests of all
	// messages open that wait behind it.
	QueuedFor = 5 * time.Second
)

// Sent is what became of a SendRequest.
type Sent struct {
	Session *Session
	// Message is the message asked about, as stored.
	Message Entry
	// Ref names the run that answers; Ref.Run is "" if none does because a human
	// has the session.
	Ref RunRef
	// Claim is set when this call has to generate the reply now.
	Claim *Claim
	// Pending says that nobody generates the run yet: invoke the responder.
	Pending bool
	// Replayed says that the id was known: nothing was changed.
	Replayed bool
}

// Claim is the right to generate a run.
type Claim struct {
	Ref RunRef
	// Epoch is the runner's own mark in the log, Next the number it appends next.
	Epoch string
	Next  int
	// First is entry 0 of the log.
	First LogEntry
	// Context is what the claimer has read.
	Context
}

// Context is what a reply is written from.
type Context struct {
	Session *Session
	// Question is the message to be answered, Entries are the newest ones, oldest
	// first; Question may be among them.
	Question Entry
	Entries  []Entry
	About    About
	// Extras are what came along with the message, where the claimer had them.
	Extras Extras
	// Contact is who was proven to have the session, where the claimer had read it.
	Contact *Contact
}

// ReplyAllowance is what a run takes from a budget before the model is asked:
// the reply's cap and an allowance for what the model reads, which is more where
// it may call actions and so reads several times.
func (p *Project) ReplyAllowance(a AgentSettings) int64 {
	allowance := int64(a.ReplyTokens()) + readTokens
	if len(p.Actions)+len(p.Modes) > 0 {
		offered, _ := json.Marshal([]any{p.Actions, p.Modes}) // checked when they were stored
		allowance += furtherRounds*readTokens + furtherRounds*int64(len(offered))/bytesPerToken
	}
	return allowance
}

// What ReplyAllowance expects: tokens that a model reads in a round, rounds
// after the first, and OpenAI's rule of thumb for English. Our choices.
const (
	readTokens    = 3000
	furtherRounds = 4
	bytesPerToken = 4
)

// ReplyTokens is the cap on the tokens of one reply.
func (a AgentSettings) ReplyTokens() int {
	return cmp.Or(a.MaxTokens, 1000)
}

// Send stores a visitor's message and starts, queues or declines a run, in one
// transaction. Sequential waves: one for the first message of a session, two
// after; attachments, retries and repetitions take one more, and so does a message
// that Begins a session which is there.
//
// Errors of kind ErrConflict: message_id_conflict (the id was used for
// something else), session_id_conflict, session_closed, busy (the message is
// stored; Run names the run), not_retryable. ErrLimit: rate_limited, budget_spent, queue_full.
func (s *Store) Send(ctx context.Context, c Caller, r SendRequest) (Sent, error) {
	if err := r.check(); err != nil {
		return Sent{}, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return Sent{}, err
	}
	if p.TokenRequired && !c.proven() {
		return Sent{}, errIdentity()
	}
	r.Begins = r.Begins && !c.Capability // who begins sessions by their ids anyway
	if c.Only != "" && (r.Session == "" || r.Begins) {
		return Sent{}, errLimited()
	}
	// What no action leaves to browsers may be anything: it is not looked at.
	r.Extras.Overrides = p.opened(r.Extras.Overrides)
	if err := r.Extras.check(); err != nil {
		return Sent{}, err
	}
	sent, err := s.send(ctx, p, c, r)
	if sent.Session != nil {
		return sent, err
	}
	return orReplay(sent, err, func() (Sent, error) { return s.replay(ctx, c, r) })
}

// send returns an error with what was stored where the message met a run that
// it did not want to wait for, and else without.
func (s *Store) send(ctx context.Context, p *Project, c Caller, r SendRequest) (Sent, error) {
	b := &sendBuild{store: s, project: p, caller: c, request: r, epoch: s.newID(),
		spent: &spending{store: s, project: p, caller: c}}
	if err := b.attach(ctx); err != nil {
		return Sent{}, err
	}
	return againFor(func() (Sent, error) {
		stored, err := b.try(ctx)
		if errors.Is(err, errStood) {
			b.request.Begins = false
			return Sent{}, errStale
		}
		b.spent.count(ctx, err)
		if err != nil {
			return Sent{}, err
		}
		return b.sent(stored)
	})
}

func (b *sendBuild) try(ctx context.Context) (*Session, error) {
	session, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	if b.request.IfBusy == BusySupersede {
		stopped, err := b.store.stop(ctx, b.project, session, "", StatusCancelled, b.build)
		return stopped.Session, err
	}
	return b.store.change(ctx, b.project, session, b.build)
}

// errReplay says that the client id is known already.
var errReplay = errors.New("known client id")

func (r *SendRequest) check() error {
	if err := CheckID("messageId", string(r.ID)); err != nil {
		return err
	}
	r.IfBusy = cmp.Or(r.IfBusy, BusyQueue)
	switch {
	case r.IfBusy != BusyQueue && r.IfBusy != BusyRefuse && r.IfBusy != BusySupersede:
		return invalid("ifBusy", "ifBusy is queue, refuse or supersede")
	case exceeds(r.Content, MaxMessageBytes):
		return tooLarge("content", MaxMessageBytes)
	case exceeds(r.Language, MaxLanguageBytes):
		return tooLarge("language", MaxLanguageBytes)
	case !utf8.ValidString(r.Content):
		return invalid("content", "content is not UTF-8")
	case r.Begins && (r.Session == "" || r.Begun || r.Retry != ""):
		return invalid("session", "a message that begins a session names it, and is no retry")
	case r.Retry != "" && (r.Content != "" || len(r.Attachments) > 0 || r.Session == ""):
		return invalid("retry", "a retry has a session and no content")
	case r.Retry == "" && r.Content == "" && len(r.Attachments) == 0:
		return invalid("content", "a message needs content or an attachment")
	case len(r.Attachments) > MaxAttachments:
		return invalid("attachments", "a message carries at most %d attachments", MaxAttachments)
	case r.Leave < 0 || r.Leave > MaxLeave:
		return invalid("leave", "a run is left to a reader for at most %s", MaxLeave)
	}
	if r.Begins {
		if err := CheckID("session", string(r.Session)); err != nil {
			return err
		}
	}
	if err := checkGreeting(r.ID, r.Greeting); err != nil {
		return err
	}
	for _, ref := range r.Refs {
		if err := ref.check(); err != nil {
			return err
		}
	}
	return cmp.Or(checkAnyObject("data", r.Data, MaxDataBytes), checkAbout(r.Page, r.Metadata))
}

func checkAbout(page Page, metadata map[string]string) error {
	return cmp.Or(checkLength("page", page.URL, MaxPageBytes), checkLength("page", page.Title, MaxPageBytes),
		checkPairs("metadata", metadata))
}

// checkPairs returns an invalid_field or too_large error unless the pairs can be kept.
func checkPairs(field string, pairs map[string]string) error {
	if len(pairs) > MaxMetadata {
		return invalid(field, "%s holds at most %d pairs", field, MaxMetadata)
	}
	for k, v := range pairs {
		if exceeds(k, MaxMetadataBytes) || exceeds(v, MaxMetadataBytes) {
			return tooLarge(field, MaxMetadataBytes)
		}
	}
	return nil
}

// hash is of everything that makes a repetition the same request.
func (r *SendRequest) hash() string {
	return hashOf(r.Session, r.Content, r.Attachments, r.Retry)
}

// hashOf is a short hash of strings and lists of them.
func hashOf(of ...any) string {
	b, _ := json.Marshal(of) // strings always encode
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// firstSession is the id of the session that a first message begins: derived,
// so that its repetition meets itself.
func (s *Store) firstSession(c Caller, id EntryID) SessionID {
	return SessionID("s" + base62(s.derive("session", string(c.Project), string(c.Visitor), string(id)), 22))
}

func errBusy(session SessionID, run RunID) error {
	return &Error{Kind: ErrConflict, Code: "busy", Text: "a reply is being written; the message is stored",
		Session: session, Run: run}
}

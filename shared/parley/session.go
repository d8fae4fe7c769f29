package parley

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"parley/shared/table"
)

// Session is the hot part of a conversation: everything that a turn changes
// and nothing else. It stays under 1 KB, so that a change costs one unit, and
// is always replaced whole under its revision.
type Session struct {
	ID      SessionID `json:"-"`
	Project ProjectID `json:"-"`
	// Rev counts the changes; each is conditional on the one before.
	Rev int64 `json:"-"`

	Owner    Owner   `json:"owner"`
	Channel  Channel `json:"channel"`
	Agent    AgentID `json:"agent,omitempty"`
	Language string  `json:"language,omitempty"`
	// Mode is the project's mode that the session is in, or "".
	Mode     string `json:"mode,omitempty"`
	State    State  `json:"state"`
	Holder   Holder `json:"holder"`
	Archived bool   `json:"archived,omitempty"`
	// Operator has the session while Holder is HolderHuman; "" then is a server
	// that named nobody.
	Operator OperatorID `json:"operator,omitempty"`
	// WaitingSince is when a human was asked for who has not written yet; 0 if none was.
	WaitingSince int64 `json:"asked,omitempty"`
	Created      int64 `json:"created"` // milliseconds, as all times here
	// Seq is the number of the newest entry, At its time.
	Seq Seq   `json:"seq"`
	At  int64 `json:"at"`
	// Indexed is the activity time under which the lists hold the session; it
	// is moved at most once in indexEvery of activity.
	Indexed int64 `json:"indexed"`
	// Messages counts stored public messages.
	Messages int `json:"messages,omitempty"`
	// Title is the beginning of the visitor's first message that has text.
	Title string `json:"title,omitempty"`
	// Spoke says that the visitor has said something, Prompted that they were
	// asked whether they are still there and that nothing was said since.
	Spoke    bool `json:"spoke,omitempty"`
	Prompted bool `json:"prompted,omitempty"`
	// Last is the newest public message.
	Last *Preview `json:"last,omitempty"`
	// Unmet is the first of a person's answers that no page is known to have met; 0
	// if there is none, or the project does not mail them.
	Unmet Seq `json:"unmet,omitempty"`
	// Run is the active run, Queue what waits for it, in order.
	Run   *QueuedRun  `json:"run,omitempty"`
	Queue []QueuedRun `json:"queue,omitempty"`
	// Settles is when a close sticks, in milliseconds; 0 when none is pending.
	Settles int64 `json:"settles,omitempty"`
	// ClosingFor is why, while one is pending.
	ClosingFor CloseReason `json:"closing,omitempty"`
	// Left is when the visitor's page said that it is gone; 0 while it is there, or
	// never said so. A sign of the page takes it away while the session is open.
	Left int64 `json:"left,omitempty"`
	// Closes numbers the closes that stuck.
	Closes int `json:"closes,omitempty"`
	// Score is the session's rating, 0 without one.
	Score int `json:"score,omitempty"`
	// Erased is set for good when the session's content goes.
	Erased bool `json:"erased,omitempty"`
}

// Updated is when something happened in the session last, in milliseconds: at first
// that it began.
func (s *Session) Updated() int64 { return max(s.At, s.Created) }

// Owner is whose session it is. Without a contact it is the visitor's.
type Owner struct {
	Visitor VisitorID `json:"visitor"`
	Contact ContactID `json:"contact,omitempty"`
	// Proven says that a signature named the contact.
	Proven bool `json:"proven,omitempty"`
	// External is the external id by which a dialect scopes sessions, or "".
	External string `json:"external,omitempty"`
}

// Channel is the dialect that a session is held in.
type Channel string

// The channels.
const (
	ChannelNative     Channel = "native"
	ChannelHissuno    Channel = "hissuno"
	ChannelOpenCX     Channel = "opencx"
	ChannelCossistant Channel = "cossistant"
	ChannelChatHub    Channel = "chathub"
)

// reopens reports whether a message to a resolved session reopens it; in the
// other dialects it is refused.
func (c Channel) reopens() bool { return c == ChannelNative || c == ChannelHissuno }

// HidesMetadata reports whether what pages of the channel say of a session is for
// people only, as OpenCX's client promises its users, and not told to agents.
func (c Channel) HidesMetadata() bool { return c == ChannelOpenCX }

// MaxMessageBytes is the longest message of a visitor in the channel, in bytes of
// UTF-8. Cossistant's widget is sent each message twice over in a frame of at most 32
// KB (API Gateway quota), with up to 10 attachments: 14,000 leave room for both.
func (c Channel) MaxMessageBytes() int {
	if c == ChannelCossistant {
		return 14_000
	}
	return MaxMessageBytes
}

// unarchives reports whether a visitor's message brings an archived session back; in
// the other dialect it is refused, for its client shows the session as closed.
func (c Channel) unarchives() bool { return c != ChannelCossistant }

// endsForGood reports whether a visitor who was told that the session has ended
// begins another: what they write to it is refused, whatever ended it.
func (c Channel) endsForGood() bool { return c == ChannelChatHub }

// MaxHumanBytes is the longest message of an operator in the channel, in bytes
// of UTF-8: what its widget shows. Hissuno's drops longer ones without a word.
func (c Channel) MaxHumanBytes() int {
	if c == ChannelHissuno {
		return 4096
	}
	return c.MaxMessageBytes()
}

// MaxReplyBytes is the longest reply of the channel, in bytes of UTF-8. Native:
// our choice, well under DynamoDB's 400 KB item. ChatHub: see MaxJSONBytes.
func (c Channel) MaxReplyBytes() int {
	switch c {
	case ChannelChatHub:
		return 20_000
	case ChannelCossistant:
		return c.MaxMessageBytes()
	}
	return 128 << 10
}

// MaxJSONBytes is the longest text of any message in the channel as a string in
// JSON, in bytes as EncodedBytes counts them; 0 is no bound. A ChatHub client gets a
// whole message in one frame, of at most socket.MaxFrame with what stands around it.
// Cossistant's page needs room beside it for attachments.
func (c Channel) MaxJSONBytes() int {
	switch c {
	case ChannelChatHub:
		return 30_000
	case ChannelCossistant:
		return 20_000
	}
	return 0
}

// carries reports whether a text is within MaxJSONBytes.
func (c Channel) carries(text string) bool {
	most := c.MaxJSONBytes()
	return most == 0 || EncodedBytes(text) <= most
}

// State is where a session stands.
type State string

// The states.
const (
	StateOpen     State = "open"
	StateClosed   State = "closed"
	StateResolved State = "resolved"
	StateSpam     State = "spam"
)

// Holder is who answers a session.
type Holder string

// The holders. Waiting means that a human was asked for and none has come.
const (
	HolderAI      Holder = "ai"
	HolderWaiting Holder = "waiting"
	HolderHuman   Holder = "human"
)

// Preview is what a list shows of the newest public message.
type Preview struct {
	Seq  Seq        `json:"seq"`
	Kind AuthorKind `json:"kind"`
	Text string     `json:"text,omitempty"` // at most previewBytes
	At   int64      `json:"at"`
}

// previewBytes keeps the hot item small.
const previewBytes = 120

// QueuedRun is a run in a session's hot item.
type QueuedRun struct {
	ID RunID `json:"id"`
	// Seq is the message it answers, Of its id where that is not the run's own:
	// where the run is a retry.
	Seq Seq     `json:"seq"`
	Of  EntryID `json:"of,omitempty"`
	// Since is when it became active, or was queued.
	Since int64 `json:"since"`
	// Waits says that the request which asked for it stays open for QueuedFor, to
	// generate it.
	Waits bool `json:"waits,omitempty"`
	// Waited says that it waited in the queue for its turn.
	Waited bool `json:"waited,omitempty"`
}

// asked returns the id of the message that the run answers.
func (q QueuedRun) asked() EntryID {
	return cmp.Or(q.Of, EntryID(q.ID))
}

// MaxQueue is how many runs may wait in a session.
const MaxQueue = 10

// indexEvery is how far the time in the lists may lag behind the activity.
const indexEvery = 15 * time.Minute

func (s *Session) item(p *Project) (table.Item, error) {
	at := timeAndSession(time.UnixMilli(s.Indexed), s.ID)
	beside := table.Item{"rev": s.Rev, "op": ownerPartition(s.Project, s.Owner), "os": at,
		"wp": inboxPartition(s.Project, s.listed(), s.Holder, p.shard(s.ID)), "ws": at}
	if s.Erased {
		beside = table.Item{"rev": s.Rev, "erased": true, table.ExpiresAt: time.UnixMilli(s.At).Add(tombstoneLife).Unix()}
	}
	return record(headKey(s.Project, s.ID), "session", s, beside)
}

// listArchived is where the inbox lists sessions that are archived, whatever their state.
const listArchived State = "archived"

// listed is the state under which the inbox lists the session.
func (s *Session) listed() State {
	if s.Archived {
		return listArchived
	}
	return s.State
}

func sessionFrom(p ProjectID, id SessionID, item table.Item) (*Session, error) {
	s := &Session{ID: id, Project: p, Rev: item.Int("rev")}
	if err := decode(item, "session", s); err != nil {
		return nil, err
	}
	return s, nil
}

// SessionOf returns the session whose item, as in HeadOf, this is, without its
// ids; a zero one for nil, for what is erased and for what is no such item.
func SessionOf(head table.Item) Session {
	var s Session
	if decode(head, "session", &s) != nil || s.Erased {
		return Session{}
	}
	return s
}

// next gives out the place and the time of a new entry and keeps the preview.
func (s *Session) next(e *Entry, now time.Time) {
	s.Seq++
	e.Seq = s.Seq
	e.At = max(now.UnixMilli(), s.At+1)
	s.At = e.At
	if e.Internal || !e.IsMessage() {
		return
	}
	s.Messages++
	if e.Author.Kind == AuthorUser {
		s.Spoke = true
		if s.Title == "" {
			s.Title = titleOf(e.Text)
		}
	}
	s.Prompted = s.Prompted && e.Author.Kind == AuthorSystem
	s.Last = &Preview{Seq: e.Seq, Kind: e.Author.Kind, Text: cut(e.Text, previewBytes), At: e.At}
}

// touch moves the session in the lists when its state or holder changed, or
// when its place there has become too old.
func (s *Session) touch(moved bool) {
	if moved || s.At-s.Indexed >= indexEvery.Milliseconds() {
		s.Indexed = s.At
	}
}

// maxTitleBytes keeps the hot item small.
const maxTitleBytes = 60

// titleOf is the first line of a message, cut after a word where it is long.
func titleOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.Join(strings.Fields(line), " ")
	if len(line) <= maxTitleBytes {
		return line
	}
	short := cut(line, maxTitleBytes-len("…"))
	if end := strings.LastIndexByte(short, ' '); end > maxTitleBytes/2 {
		short = short[:end]
	}
	return short + "…"
}

// cut shortens text to at most n bytes at a code point.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}

// About is the cold part of a session.
type About struct {
	Page Page `json:"page,omitzero"`
	// Metadata is what the browser said, Attributes what the project's people or
	// server said, which agents are told to be right.
	Metadata   map[string]string `json:"metadata,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Checkpoint is the newest state checkpoint, a JSON object.
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
}

// Page is where the visitor is.
type Page struct {
	URL   string `json:"url,omitempty"`
	Title string `json:"title,omitempty"`
}

func (a About) empty() bool {
	return a.Page == Page{} && len(a.Metadata)+len(a.Attributes)+len(a.Checkpoint) == 0
}

func aboutFrom(item table.Item) (a About, err error) {
	err = decode(item, "session metadata", &a)
	return a, err
}

func (a About) item(p ProjectID, s SessionID) (table.Item, error) {
	return record(aboutKey(p, s), "session metadata", a, nil)
}

package parley

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/shared/table"
)

// Entry is what has a place in a session's order: a message or an event.
type Entry struct {
	// ID is the client's where it chose one; unique in the project.
	ID EntryID `json:"id"`
	// Seq is the place in the session; At is strictly later than the entry before.
	Seq Seq   `json:"-"`
	At  int64 `json:"at"` // milliseconds since 1970, UTC
	// Event is the kind of event, or "" for a message.
	Event  Event  `json:"event,omitempty"`
	Author Author `json:"author"`
	// Internal entries are for operators only: notes, drafts, reasons.
	Internal bool   `json:"internal,omitempty"`
	Text     string `json:"text,omitempty"`
	Parts    []Part `json:"parts,omitempty"`
	// Greeting is what the visitor's page showed before it, in a session's first message.
	Greeting []Said `json:"greeting,omitempty"`
	// Run is the run that wrote a reply or ended without one; Of is the message it answers.
	Run RunID   `json:"run,omitempty"`
	Of  EntryID `json:"of,omitempty"`
	// Waited is the place of that message, where the run waited in the queue for its
	// turn; else 0.
	Waited Seq `json:"waited,omitempty"`
	// Status is how that run ended.
	Status RunStatus `json:"status,omitempty"`
	// Reason says why, for operators and logs; never shown to a visitor. Of a
	// handover it has at most MaxReasonBytes.
	Reason string `json:"reason,omitempty"`
	// Close numbers the closes that stuck, in an EventClosed or EventResolved.
	Close int `json:"close,omitempty"`
	// Truncated says that the limit on a reply's length cut it.
	Truncated bool `json:"truncated,omitempty"`
	// LikelyResolved says that the agent thinks a reply has solved the issue.
	LikelyResolved bool `json:"likely_resolved,omitempty"`
	// Joins says that its author takes part in the session from here on: once for
	// each operator, in an EventTakenOver or an EventJoined.
	Joins bool `json:"joins,omitempty"`
	// Amends is the entry that this one changes, e.g. a vote or an erasure; the
	// entry named has its Revision raised in the same transaction.
	Amends   Seq `json:"amends,omitempty"`
	Revision int `json:"revision,omitempty"`
	// Vote is the newest that the visitor gave this answer, "" without one.
	Vote Vote `json:"vote,omitempty"`
	// Erased entries keep their place and nothing else.
	Erased bool `json:"erased,omitempty"`
	// Data is what a dialect or an event must give back as it came: a JSON object.
	Data json.RawMessage `json:"data,omitempty"`
}

// MaxReasonBytes is the longest reason of a handover. Our choice: a sentence or two.
const MaxReasonBytes = 500

// Time returns when the entry was stored.
func (e Entry) Time() time.Time { return time.UnixMilli(e.At).UTC() }

// IsMessage reports whether the entry is a message.
func (e Entry) IsMessage() bool { return e.Event == "" && !e.Erased }

// Written is the message for clients that show nothing but text: its own, and a line for
// each file, with its name and the address that address returns.
func (e Entry) Written(address func(Attachment) string) string {
	text := e.Text
	for _, part := range e.Parts {
		if a := part.Attachment; a != nil {
			if text != "" {
				text += "\n"
			}
			text += a.Name + ": " + address(*a)
		}
	}
	return text
}

// Event is a kind of event.
type Event string

// The events. A session's order holds them beside its messages.
const (
	EventHandedOver  Event = "handed_over" // the agent or a rule asked for a human
	EventTakenOver   Event = "taken_over"  // a human has the session
	EventHandedBack  Event = "handed_back"
	EventJoined      Event = "joined" // an operator takes part without taking over
	EventClosed      Event = "closed"
	EventResolved    Event = "resolved"
	EventReopened    Event = "reopened"
	EventRatingAsked Event = "rating_asked"
	EventRated       Event = "rated"
	EventCheckpoint  Event = "checkpoint"
	EventIdentified  Event = "identified"
	EventTool        Event = "tool"
	EventVote        Event = "vote"
	EventReviewed    Event = "reviewed" // internal; Data is the Review
	EventNoReply     Event = "no_reply" // a run ended without text
	EventSpam        Event = "spam"     // an operator marked it so; internal always
)

// Author is who wrote an entry, as they were then.
type Author struct {
	Kind AuthorKind `json:"kind"`
	// ID is the id of the visitor, contact, agent or operator; "" for system and team.
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Picture string `json:"picture,omitempty"`
}

// AuthorKind is the kind of an Author.
type AuthorKind string

// The kinds of author. Team is a greeting that nobody signed.
const (
	AuthorUser   AuthorKind = "user"
	AuthorAI     AuthorKind = "ai"
	AuthorHuman  AuthorKind = "human"
	AuthorSystem AuthorKind = "system"
	AuthorTeam   AuthorKind = "team"
)

// Part is a piece of a message besides its text. Exactly one field is set.
type Part struct {
	Attachment *Attachment     `json:"attachment,omitempty"`
	Action     *ActionCall     `json:"action,omitempty"`
	Source     *Source         `json:"source,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// Attachment is an uploaded object as part of a message.
type Attachment struct {
	ID   FileID `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	Size int64  `json:"size"` // bytes
	// Ref is how a dialect's client knows it, nil where that is as here.
	Ref *Ref `json:"ref,omitempty"`
}

// Source is an article that a reply rests on.
type Source struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

func (e Entry) item(p ProjectID, s SessionID) (table.Item, error) {
	return record(entryKey(p, s, e.Seq), "entry", e, nil)
}

func entryFrom(item table.Item) (Entry, error) {
	var e Entry
	if item == nil {
		return e, notFound("entry")
	}
	if err := decode(item, "entry", &e); err != nil {
		return e, err
	}
	if _, err := fmt.Sscanf(item.String(table.SK), skEntryFrom+"%d", &e.Seq); err != nil {
		return e, fmt.Errorf("entry number %q: %w", item.String(table.SK), err)
	}
	return e, nil
}

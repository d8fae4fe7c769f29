package api

import (
	"encoding/json"
	"net/http"
	"time"

	"parley/shared/parley"
)

// Time is a time in milliseconds since 1970, written as RFC 3339 in UTC.
type Time int64

// TimeOf returns t as a Time.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// Entry is an entry of a session.
type Entry struct {
	ID       parley.EntryID   `json:"id"`
	Seq      parley.Seq       `json:"seq"`
	At       Time             `json:"at"`
	Type     string           `json:"type"` // "message" or "event"
	Event    parley.Event     `json:"event,omitempty"`
	Author   parley.Author    `json:"author"`
	Text     string           `json:"text"`
	Parts    []Part           `json:"parts"`
	Run      parley.RunID     `json:"run,omitempty"`
	Of       parley.EntryID   `json:"of,omitempty"`
	Status   parley.RunStatus `json:"status,omitempty"`
	Amends   parley.Seq       `json:"amends,omitempty"`
	Revision int              `json:"revision,omitempty"`
	Erased   bool             `json:"erased,omitempty"`
	// Truncated says that the limit on a reply's length cut it.
	Truncated bool `json:"truncated,omitempty"`
	// LikelyResolved says that the agent thinks a reply has solved the issue.
	LikelyResolved bool        `json:"likelyResolved,omitempty"`
	Vote           parley.Vote `json:"vote,omitempty"`
	// Greeting is what the visitor's page showed before a session's first message.
	Greeting []string `json:"greeting,omitempty"`
}

// Part is a piece of a message besides its text: an Attachment, a Source, an
// Action or a Data.
type Part interface{ part() }

func (Attachment) part() {}
func (Source) part()     {}
func (Action) part()     {}
func (Data) part()       {}

// Attachment is a file as part of a message. URL is its permanent address.
type Attachment struct {
	Type      string        `json:"type"` // "attachment"
	ID        parley.FileID `json:"id"`
	Name      string        `json:"name"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"` // bytes
	URL       string        `json:"url"`
}

// Source is an article that a reply is based on.
type Source struct {
	Type  string `json:"type"` // "source"
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Action is a call of an outside action by the agent.
type Action struct {
	Type      string          `json:"type"` // "action"
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	Result    json.RawMessage `json:"result"`
	Error     string          `json:"error,omitempty"`
	Form      *Form           `json:"form,omitempty"`
}

// Form asks the visitor to fill in the arguments of a call.
type Form struct {
	Parameters json.RawMessage `json:"parameters"` // a JSON Schema of an object
	Submitted  bool            `json:"submitted"`
}

// Data is something that a dialect stores with a message, to return it
// unchanged.
type Data struct {
	Type string          `json:"type"` // "data"
	Data json.RawMessage `json:"data"`
}

// Entry returns an entry of the project's as this request's client sees it.
func (a *API) Entry(r *http.Request, project parley.ProjectID, e parley.Entry) Entry {
	return NewEntry(e, func(id parley.FileID, name string) string { return a.FileURL(r, project, id, name) })
}

// NewEntry returns an entry with the addresses of its files taken from address.
func NewEntry(e parley.Entry, address func(id parley.FileID, name string) string) Entry {
	out := Entry{ID: e.ID, Seq: e.Seq, At: Time(e.At), Type: "message", Event: e.Event, Author: e.Author, Text: e.Text,
		Parts: []Part{}, Run: e.Run, Of: e.Of, Status: e.Status, Amends: e.Amends, Revision: e.Revision, Erased: e.Erased,
		Truncated: e.Truncated, LikelyResolved: e.LikelyResolved, Vote: e.Vote}
	if e.Event != "" {
		out.Type = "event"
	}
	for _, said := range e.Greeting {
		out.Greeting = append(out.Greeting, said.Text)
	}
	for _, p := range e.Parts {
		switch {
		case p.Attachment != nil:
			f := p.Attachment
			out.Parts = append(out.Parts, Attachment{"attachment", f.ID, f.Name, f.Type, f.Size, address(f.ID, f.Name)})
		case p.Source != nil:
			out.Parts = append(out.Parts, Source{"source", p.Source.Title, p.Source.URL})
		case p.Action != nil:
			out.Parts = append(out.Parts, newAction(p.Action))
		default:
			out.Parts = append(out.Parts, Data{"data", p.Data})
		}
	}
	return out
}

func newAction(c *parley.ActionCall) Action {
	out := Action{Type: "action", ID: c.ID, Name: c.Name, Arguments: c.Arguments, Result: c.Result, Error: c.Error}
	if c.Form == nil {
		return out
	}
	out.Form = &Form{c.Form.Parameters, c.Form.Submitted > 0}
	if out.Form.Parameters == nil {
		out.Form.Parameters = json.RawMessage(`{"type":"object"}`)
	}
	return out
}

// Entries is Entry for many.
func (a *API) Entries(r *http.Request, project parley.ProjectID, entries []parley.Entry) []Entry {
	out := make([]Entry, len(entries))
	for i, e := range entries {
		out[i] = a.Entry(r, project, e)
	}
	return out
}

// Session is a session as its owner sees it.
type Session struct {
	ID        parley.SessionID `json:"id"`
	State     parley.State     `json:"state"`
	Holder    parley.Holder    `json:"holder"`
	Title     string           `json:"title"`
	CreatedAt Time             `json:"createdAt"`
	UpdatedAt Time             `json:"updatedAt"`
	Seq       parley.Seq       `json:"seq"`
	Messages  int              `json:"messages"`
	Last      *Preview         `json:"last"`
	Run       *Run             `json:"run"`
	Queue     []Run            `json:"queue"`
	Agent     parley.AgentID   `json:"agent"`
	Language  string           `json:"language,omitempty"`
	Score     int              `json:"score,omitempty"`
}

// Preview is the beginning of a session's newest message.
type Preview struct {
	Seq  parley.Seq        `json:"seq"`
	Kind parley.AuthorKind `json:"kind"`
	Text string            `json:"text"`
	At   Time              `json:"at"`
}

// Run is an active or queued run. Seq is the message that it answers.
type Run struct {
	ID  parley.RunID `json:"id"`
	Seq parley.Seq   `json:"seq"`
}

// NewSession returns a session as its owner sees it.
func NewSession(s *parley.Session) Session {
	out := Session{ID: s.ID, State: s.State, Holder: s.Holder, Title: s.Title, CreatedAt: Time(s.Created), UpdatedAt: Time(s.Updated()), Seq: s.Seq,
		Messages: s.Messages, Queue: []Run{}, Agent: s.Agent, Language: s.Language, Score: s.Score}
	if s.Last != nil {
		out.Last = &Preview{s.Last.Seq, s.Last.Kind, s.Last.Text, Time(s.Last.At)}
	}
	if s.Run != nil {
		out.Run = &Run{s.Run.ID, s.Run.Seq}
	}
	for _, q := range s.Queue {
		out.Queue = append(out.Queue, Run{q.ID, q.Seq})
	}
	return out
}

package chathub

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/signalr"
)

// MaxContent is the longest content of a message, in characters (code points of
// Unicode), beside parley.MaxMessageBytes. Our choice: a client cannot send frames of
// more than 32 KB, and has to be told before that.
const MaxContent = 8000

// method is what a client may call. What it returns is the result.
type method func(f *frame, ctx context.Context, c parley.Connection, r signalr.Record) (any, error)

// methodTyping is the only one that clients call without end.
const methodTyping = "TypingAsync"

// methods are all of them. Their names are told apart by case.
var methods = map[string]method{
	"SendMessageAsync": (*frame).sendMessage,
	methodTyping:       (*frame).typing,
	"CancelAsync":      (*frame).cancel,
	"EndSessionAsync":  (*frame).endSession,
}

// invoke answers a call. One that nobody waits for is not answered, but an error of it
// is told as an event.
func (f *frame) invoke(ctx context.Context, r signalr.Record) {
	result, err := f.call(ctx, r)
	switch {
	case err != nil:
		f.fail(ctx, r, err)
	case r.ID != "" && !f.over: // the end has said it
		f.say(signalr.Complete(r.ID, result))
	}
}

func (f *frame) call(ctx context.Context, r signalr.Record) (any, error) {
	do, known := methods[r.Target]
	if !known {
		return nil, &parley.Error{Kind: parley.ErrInvalid, Code: codeUnknownMethod, Text: "the hub has no such method"}
	}
	if r.Target == methodTyping && !f.typists.Take(f.event.Ref, f.Now()) {
		return nil, nil
	}
	if !f.calls.Take(f.event.Ref, f.Now()) {
		return nil, &parley.Error{Kind: parley.ErrLimit, Code: codeLimited, Text: "the connection calls too often"}
	}
	c, err := f.join(ctx)
	if err != nil {
		return nil, err
	}
	p, err := f.API.Store.Project(ctx, c.Project)
	if err != nil {
		return nil, err
	}
	if err := f.API.Store.TakeCall(p, c.Caller); err != nil {
		return nil, err
	}
	return do(f, ctx, c, r)
}

// fail tells of an error. Who is no longer welcome is told that it is over, too; and
// a connection that is not known is to be made anew.
func (f *frame) fail(ctx context.Context, r signalr.Record, err error) {
	code, text, hidden := failure(err)
	unknown := errors.Is(err, errUnknown)
	if hidden && !unknown {
		f.log(ctx, "frame", err)
	}
	switch {
	case r.ID != "":
		f.say(signalr.Fail(r.ID, explain(code, text)))
	case r.Type != 0:
		f.say(raise(code, text))
	}
	switch {
	case unknown:
		f.end(signalr.Reset(explain(code, text)))
	case shuts(err):
		f.end(signalr.End(explain(code, text)))
	}
}

func errInvalid(text string) error {
	return &parley.Error{Kind: parley.ErrInvalid, Code: codeInvalid, Text: text}
}

// said is the argument of SendMessageAsync as far as it could be read.
type said struct {
	content  string
	metadata map[string]string // nil where there is none
}

// read takes the message from the arguments of a call. Metadata that is no object is
// none: it is a hint, which refuses no message.
func read(r signalr.Record) (said, error) {
	if r.Shapeless || len(r.Arguments) == 0 {
		return said{}, errInvalid("SendMessageAsync takes an object with content")
	}
	var in struct{ Content, Metadata json.RawMessage }
	var content *string
	if json.Unmarshal(r.Arguments[0], &in) != nil || in.Content == nil || json.Unmarshal(in.Content, &content) != nil || content == nil {
		return said{}, errInvalid("content has to be a string")
	}
	switch text := *content; {
	case strings.TrimSpace(text) == "":
		return said{}, errInvalid("content is empty")
	case len(text) > parley.MaxMessageBytes, utf8.RuneCountInString(text) > MaxContent:
		return said{}, &parley.Error{Kind: parley.ErrInvalid, Code: codeTooLarge,
			Text: "content is longer than " + strconv.Itoa(MaxContent) + " characters or " + strconv.Itoa(parley.MaxMessageBytes) + " bytes"}
	}
	out := said{content: *content}
	if in.Metadata != nil {
		out.metadata, _ = object(in.Metadata)
	}
	return out, nil
}

// stored is the result of SendMessageAsync.
type stored struct {
	MessageID      parley.EntryID   `json:"messageId"`
	ConversationID parley.SessionID `json:"conversationId"`
}

// sendMessage stores a message and asks for the reply, which comes by itself.
func (f *frame) sendMessage(ctx context.Context, c parley.Connection, r signalr.Record) (any, error) {
	m, err := read(r)
	if err != nil {
		return nil, err
	}
	send := parley.SendRequest{ID: f.entryID(), Session: c.Session, Begins: !c.Begun,
		Channel: parley.ChannelChatHub, Agent: c.Agent, Language: c.Language, Content: m.content,
		Metadata: m.over(c.Metadata), IfBusy: parley.BusyQueue}
	if !c.Begun {
		send.On = c.Ref
	}
	sent, err := f.API.Store.Send(ctx, c.Caller, send)
	if err != nil {
		return nil, err
	}
	f.joined.Begun = true
	if sent.Pending {
		f.Runs.Ask(ctx, sent.Ref)
	}
	return stored{sent.Message.ID, sent.Session.ID}, nil
}

// over returns what a message says besides its content on top of what its connection
// says; nil where neither says anything.
func (m said) over(connection map[string]string) map[string]string {
	if m.metadata == nil {
		return connection
	}
	all := maps.Clone(m.metadata)
	for name, value := range connection {
		if _, said := all[name]; !said && len(all) < parley.MaxMetadata {
			all[name] = value
		}
	}
	return all
}

// entryID is the id of the message in the record that is being answered. The protocol
// has none of its own, so it is made of what is the same when a frame is delivered
// once more.
func (f *frame) entryID() parley.EntryID {
	e := f.event
	if e.MessageID == "" {
		return parley.EntryID(rand.Text()) // of a host that delivers once
	}
	sum := f.API.Keys.Derive("chathub message", e.API, e.ID, e.MessageID, strconv.Itoa(f.place))
	return parley.EntryID("m" + base64.RawURLEncoding.EncodeToString(sum[:18]))
}

// typing tells those who look at the session that its user types. Nothing is stored.
func (f *frame) typing(ctx context.Context, c parley.Connection, _ signalr.Record) (any, error) {
	session, err := f.API.Store.Session(ctx, c.Caller, c.Session)
	if errors.Is(err, parley.ErrNotFound) {
		return nil, nil // nobody looks at what has not begun
	}
	if err == nil {
		f.Typing(ctx, session, c.Caller.Author(), true)
	}
	return nil, err
}

// cancel stops the reply that is being written. What waits behind it is answered.
func (f *frame) cancel(ctx context.Context, c parley.Connection, _ signalr.Record) (any, error) {
	if _, err := f.Runs.CancelActive(ctx, c.Caller, c.Session); err != nil && !errors.Is(err, parley.ErrNotFound) {
		return nil, err
	}
	return nil, nil
}

// endSession ends the session for its visitor, and the connection with it. The answer
// comes first, because apps close the connection when they hear that it is over.
func (f *frame) endSession(ctx context.Context, c parley.Connection, r signalr.Record) (any, error) {
	if _, err := f.API.Store.End(ctx, c.Caller, c.Session); err != nil && !errors.Is(err, parley.ErrNotFound) {
		return nil, err
	}
	if err := f.API.Store.Disconnect(ctx, c.Ref, true); err != nil {
		f.log(ctx, "end", err)
	}
	if r.ID != "" {
		f.say(signalr.Complete(r.ID, nil))
	}
	f.end(live.ChatHubEnded(c.Session, "user_ended"), signalr.End(""))
	return nil, nil
}

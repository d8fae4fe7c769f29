// Package cossistantws serves the sockets of pages with Cossistant's widget, which
// pages set as wsUrl: who may connect, the heartbeat, and that the visitor types. What
// happens in sessions is said by package live, in the words of package shape.
// Tested by functions/cossistant/cossistanttest.
package cossistantws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"parley/functions/cossistant"
	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
)

// Path is where the socket is on a host that has one address for everything.
const Path = "/cossistant/ws"

const (
	// RefusalsPerMinute is how many connections of one address are let in during a
	// minute only to be told why they are refused; more are refused without a word. Our
	// choice: as many pages as an office may have open with a key that was removed.
	RefusalsPerMinute = 20
	// FramesPerSecond is how many frames a connection may send in a second; one that
	// sends more is cut off. Our choice: clients send one in 15 seconds, and a few in a
	// second while somebody types.
	FramesPerSecond = 20
	// maxStrangers is how many addresses are counted at a time. Our choice: a few hundred
	// kilobytes; more are as if they had come too often.
	maxStrangers = 10_000
)

// Config is what the function needs. All but Now is required.
type Config struct {
	API *api.API
	// Sockets reaches the connections.
	Sockets socket.Poster
	// Meet has a connection that has just been made welcomed, as live.Live.Meet does,
	// and Refuse one told why it is refused, as live.Live.Refuse does. They do not wait
	// for that: nothing can be sent to it before it has been let in.
	Meet   func(ctx context.Context, p parley.ProjectID, ref socket.Ref) error
	Refuse func(ctx context.Context, ref socket.Ref, code, text string) error
	// Typing tells whoever of the team is connected that a visitor types, and what, as
	// live.Live.TypingText does.
	Typing func(ctx context.Context, s *parley.Session, by parley.Author, typing bool, text string)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns the function's handler.
func New(c Config) socket.Handler {
	if c.API == nil || c.Sockets == nil || c.Meet == nil || c.Refuse == nil || c.Typing == nil {
		panic("cossistantws: API, Sockets, Meet, Refuse and Typing are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &function{Config: c, strangers: live.Pace[string]{Most: RefusalsPerMinute, Per: time.Minute, Known: maxStrangers}}
	f.typists.Most, f.frames.Most, f.meets.Most = live.TypingPerSecond, FramesPerSecond, 1
	return socket.Recovered(f.handle, broken, c.API.Log)
}

type function struct {
	Config
	typists, frames, meets live.Pace[socket.Ref]
	// strangers are the networks of connections that are let in to be refused: who is
	// refused may belong to no project.
	strangers live.Pace[string]
}

// broken is what a client is told of what broke. A connection is not made; the client
// tries again, later each time.
func broken(e socket.Event) socket.Answer {
	if e.Kind == socket.Connect {
		return socket.Answer{Status: http.StatusInternalServerError}
	}
	return socket.Answer{Frame: shape.ErrorFrame("internal", "something went wrong on our side")}
}

func (f *function) handle(ctx context.Context, e socket.Event) socket.Answer {
	switch e.Kind {
	case socket.Connect:
		return socket.Answer{Status: f.connect(ctx, e)}
	case socket.Message:
		return socket.Answer{Frame: f.message(ctx, e)}
	case socket.Disconnect:
		if err := f.API.Store.Disconnect(ctx, e.Ref, false); err != nil {
			f.log(ctx, "disconnect", err) // the connection expires
		}
	}
	return socket.Answer{}
}

// log notes an error that the client is not told, or not all of.
func (f *function) log(ctx context.Context, what string, err error) {
	f.API.Log.LogAttrs(ctx, slog.LevelError, "cossistantws", slog.String("event", what), slog.String("error", err.Error()))
}

// connect returns the status that lets a client in. Who may not connect is let in too,
// for a client that is refused tries again for ever: it is told why, is in no list, and
// of all frames only its pings are answered.
func (f *function) connect(ctx context.Context, e socket.Event) int {
	p, c, err := f.admit(ctx, e)
	if err == nil {
		err = f.API.Store.Connect(ctx, parley.Connection{Ref: e.Ref, Project: c.Project, Channel: c.Channel, Caller: c, Connected: e.Connected})
	}
	if err == nil {
		err = f.Meet(ctx, c.Project, e.Ref)
	}
	status := f.refusal(ctx, e, err)
	f.API.LogConnect(ctx, p, status, err)
	return status
}

// refusal is what becomes of a request to connect by its error. What passes is worth
// another try, and so is left to the client.
func (f *function) refusal(ctx context.Context, e socket.Event, err error) int {
	var known *parley.Error
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, parley.ErrLimit):
		return http.StatusTooManyRequests
	case !errors.As(err, &known) || errors.Is(err, parley.ErrUnavailable):
		return http.StatusServiceUnavailable
	case !f.strangers.Take(parley.Network(e.Address), f.Now()):
		return http.StatusForbidden
	}
	if err := f.Refuse(ctx, e.Ref, known.Code, known.Text); err != nil {
		f.log(ctx, "refuse", err)
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// admit returns who wants to connect. The key, the page's origin and the visitor's id
// are checked as in a request to the function cossistant.
func (f *function) admit(ctx context.Context, e socket.Event) (*parley.Project, parley.Caller, error) {
	key := cmp.Or(e.Query.Get("publicKey"), e.Header.Get(cossistant.KeyHeader))
	p, err := f.API.Store.ProjectByKey(ctx, key)
	if err != nil {
		return nil, parley.Caller{}, err
	}
	c := parley.Caller{Project: p.ID, Channel: parley.ChannelCossistant, Address: e.Address}
	if err := cossistant.CheckOrigin(&http.Request{Header: e.Header}, p, key); err != nil {
		return p, c, err
	}
	if err := f.API.Store.TakeCall(p, c); err != nil {
		return p, c, err
	}
	c, err = f.API.Store.BareCaller(ctx, c, parley.VisitorID(cmp.Or(e.Query.Get("visitorId"), e.Header.Get(cossistant.VisitorHeader))))
	if err == nil {
		err = f.API.Store.TakeCall(p, c)
	}
	return p, c, err
}

// What clients send that is no event.
const (
	ping         = "ping"
	presencePing = "presence:ping"
	pong         = "pong"
)

// meetsAfter and meetsWithin are how long after a connection was made its pings see
// whether it has been welcomed. Our choice: clients ping every 15 seconds, so that three
// do, and who pings all the time has push called no oftener than that costs.
const (
	meetsAfter  = 10 * time.Second
	meetsWithin = 50 * time.Second
)

// message returns what a frame is answered; nil is nothing.
func (f *function) message(ctx context.Context, e socket.Event) []byte {
	if !f.frames.Take(e.Ref, f.Now()) {
		if err := f.Sockets.Close(ctx, e.Ref); err != nil {
			f.log(ctx, "cut off", err)
		}
		return nil
	}
	switch string(e.Frame) {
	case ping, presencePing:
		f.met(ctx, e)
		return []byte(pong)
	}
	var in struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload"`
		Data    json.RawMessage `json:"data"` // some clients call it so
	}
	if err := json.Unmarshal(e.Frame, &in); err != nil {
		return shape.ErrorFrame("invalid_json", "a frame is ping or an event in JSON")
	}
	if in.Payload == nil {
		in.Payload = in.Data
	}
	if in.Type != "conversationTyping" {
		return shape.ErrorFrame("unknown_event", "a page sends conversationTyping alone")
	}
	if !f.typists.Take(e.Ref, f.Now()) {
		return nil
	}
	if err := f.typing(ctx, e, in.Payload); err != nil {
		return f.failure(ctx, err)
	}
	return nil
}

// met has a young connection welcomed that was not: whoever was to do that has died.
func (f *function) met(ctx context.Context, e socket.Event) {
	if age := f.Now().Sub(e.Connected); age < meetsAfter || age > meetsWithin || !f.meets.Take(e.Ref, f.Now()) {
		return
	}
	c, err := f.API.Store.ConnectionOf(ctx, e.Ref)
	if err == nil && !c.Ready {
		err = f.Meet(ctx, c.Project, e.Ref)
	}
	if err != nil && !errors.Is(err, parley.ErrNotFound) { // that of a refused one is not stored
		f.log(ctx, "met", err)
	}
}

// maxPreview is the longest text of a preview, in characters (the protocol's).
const maxPreview = 2000

// typing tells the team that the visitor types. Nothing is stored, and what the frame
// says of who types is not looked at.
func (f *function) typing(ctx context.Context, e socket.Event, payload json.RawMessage) error {
	var in struct {
		ID      parley.SessionID `json:"conversationId"`
		Typing  *bool            `json:"isTyping"`
		Preview string           `json:"visitorPreview"`
	}
	if json.Unmarshal(payload, &in) != nil || in.Typing == nil || utf8.RuneCountInString(in.Preview) > maxPreview {
		return api.InvalidField("payload", "conversationTyping has conversationId, isTyping and a visitorPreview of at most 2000 characters")
	}
	c, err := f.API.Store.ConnectionOf(ctx, e.Ref)
	if err != nil {
		return err
	}
	p, err := f.API.Store.Project(ctx, c.Project)
	if err != nil {
		return err
	}
	// As whom somebody vouched for the visitor may have changed since it connected.
	c.Caller.Project, c.Caller.Address, c.Caller.Contact = c.Project, e.Address, ""
	if err := f.API.Store.TakeCall(p, c.Caller); err != nil {
		return err
	}
	session, err := f.API.Store.Session(ctx, c.Caller, in.ID)
	if errors.Is(err, parley.ErrNotFound) {
		if c.Caller, err = f.API.Store.BareCaller(ctx, c.Caller, c.Caller.Visitor); err == nil {
			session, err = f.API.Store.Session(ctx, c.Caller, in.ID)
		}
	}
	if err != nil {
		return err
	}
	f.Typing(ctx, session, c.Caller.Author(), *in.Typing, in.Preview)
	return nil
}

// failure is the frame that tells a client of an error.
func (f *function) failure(ctx context.Context, err error) []byte {
	var known *parley.Error
	if !errors.As(err, &known) || errors.Is(err, parley.ErrUnavailable) {
		f.log(ctx, "frame", err)
		return shape.ErrorFrame("unavailable", "this cannot be done at the moment")
	}
	return shape.ErrorFrame(known.Code, known.Text)
}

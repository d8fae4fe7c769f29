// Package chathub is a SignalR hub for the clients of Voisnap's ChatHub: one end user
// talks with one AI agent over a WebSocket. It only translates; the rules are in
// package parley.
//
// negotiate.go is what clients ask over HTTP before they connect, admit.go who may,
// connect.go which session a connection is for, frame.go what a frame is answered,
// method.go what a client may call.
//
// What a reply's text, a person's message and a close look like to a client is in
// package live: whoever has them says them.
package chathub

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/run"
	"parley/shared/socket"
)

// API is the name of the hub's socket API in socket.Ref.
const API = "chathub"

// The hub's addresses. Clients append the second to the first by themselves.
const (
	Path          = "/hubs/chat"
	NegotiatePath = Path + "/negotiate"
)

// Config is what the function needs. All but Wake, Typing and Now are required.
type Config struct {
	API *api.API
	// Runs asks for replies and cancels them; nothing is generated here.
	Runs *run.Dispatcher
	// Sockets reaches the hub's connections.
	Sockets socket.Poster
	// Wake has whatever waits for a session's client sent to it, and does not wait for
	// that. Nil where nothing ever waits.
	Wake func(ctx context.Context, p parley.ProjectID, id parley.SessionID) error
	// Typing tells those who look at a session that somebody types in it, as
	// live.Live.Typing does. Nil is nobody.
	Typing func(ctx context.Context, s *parley.Session, by parley.Author, typing bool)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Hub is the function's two handlers.
type Hub struct {
	Config
	// Negotiate answers NegotiatePath.
	Negotiate http.Handler
	// Socket answers the events of the socket API.
	Socket socket.Handler

	typists, calls live.Pace[socket.Ref]
	clients        hearing
}

// New returns the hub.
func New(c Config) *Hub {
	if c.API == nil || c.Runs == nil || c.Sockets == nil {
		panic("chathub: API, Runs and Sockets are required")
	}
	if c.Wake == nil {
		c.Wake = func(context.Context, parley.ProjectID, parley.SessionID) error { return nil }
	}
	if c.Typing == nil {
		c.Typing = func(context.Context, *parley.Session, parley.Author, bool) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Hub{Config: c}
	h.typists.Most, h.calls.Most = live.TypingPerSecond, live.CallsPerSecond
	h.Negotiate = withCredentials(c.API.Dialect(refuseNegotiation, api.Route{Pattern: "POST " + NegotiatePath, Handle: h.negotiate}))
	h.Socket = socket.Recovered(h.handle, broken, c.API.Log)
	return h
}

func (h *Hub) handle(ctx context.Context, e socket.Event) socket.Answer {
	switch e.Kind {
	case socket.Connect:
		return h.connect(ctx, e)
	case socket.Message:
		return h.message(ctx, e)
	case socket.Disconnect:
		if err := h.API.Store.Disconnect(ctx, e.Ref, false); err != nil {
			h.log(ctx, "disconnect", err) // the connection expires
		}
	}
	return socket.Answer{}
}

// log notes an error that the client is not told, or not all of.
func (h *Hub) log(ctx context.Context, what string, err error) {
	h.API.Log.LogAttrs(ctx, slog.LevelError, "chathub", slog.String("event", what), slog.String("error", err.Error()))
}

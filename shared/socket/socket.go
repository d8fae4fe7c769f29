// Package socket is what a dialect that speaks over WebSockets needs to know of
// them: that a page connects, says something and leaves, and how to say something
// to it. It knows neither AWS nor any widget. A function that serves a socket is
// called for each event and keeps nothing between them; whoever holds the
// connection, API Gateway or a stand-in for it, is another process.
package socket

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Kind says what happened on a connection.
type Kind string

// The kinds of events.
const (
	// Connect asks whether a connection may be made. Until it is answered the
	// connection does not exist: what is posted to it meanwhile is ErrGone.
	Connect Kind = "connect"
	// Message is one frame. Frames of one connection may be handled at the same
	// time and in any order.
	Message Kind = "message"
	// Disconnect says that a connection has ended. It may come late or never.
	Disconnect Kind = "disconnect"
)

// Ref names a connection: the socket API that holds it, by its name in Parley
// ("chathub"), and its id there. Ids are opaque and may end in "=".
type Ref struct {
	API string `json:"api"`
	ID  string `json:"id"`
}

// Event is something that happened on a connection.
type Event struct {
	Kind Kind
	Ref
	// Connected is when the connection was asked for.
	Connected time.Time
	// Query, Header and Address (the client's) are those of the request that
	// connects; other events have none of Query and Header.
	Query   url.Values
	Header  http.Header
	Address string
	// MessageID names the frame of a Message; an event that is delivered twice has
	// the same one. Frame is its text.
	MessageID string
	Frame     []byte
	// Code is the close code of a Disconnect, 0 if it is not known.
	Code int
}

// Answer is what a function says to an event.
type Answer struct {
	// Status refuses a Connect unless it is 200. Zero means 200.
	Status int
	// Frame goes back to the client that sent a Message, as one frame; empty is
	// none. It is not sent for other events.
	Frame []byte
}

// Handler handles events. It is safe for concurrent use. Its context ends while
// there is still time to answer. See Recovered for what it may not do: what is sent
// to the client for a broken function is no word of its dialect.
type Handler func(ctx context.Context, e Event) Answer

// MaxLife is the longest that a connection lives, MaxIdle the longest that it may
// be silent in both directions, and MaxAnswer how long the answer to an event may
// take (API Gateway's quotas for WebSocket APIs).
const (
	MaxLife   = 2 * time.Hour
	MaxIdle   = 10 * time.Minute
	MaxAnswer = 29 * time.Second
)

// Errors of a Poster. Other errors leave open whether the frame has arrived.
var (
	// ErrGone is of a connection that is not there, any more or yet.
	ErrGone = errors.New("the connection is gone")
	// ErrBusy is of too many frames at once: nothing was sent.
	ErrBusy = errors.New("too many frames at once")
	// ErrTooLarge is of a frame longer than MaxFrame: nothing was sent.
	ErrTooLarge = errors.New("the frame is too long")
)

// Poster reaches clients. It is safe for concurrent use.
type Poster interface {
	// Post sends one frame. A frame to a connection whose client has vanished
	// without a word may be lost without an error. It tries once.
	Post(ctx context.Context, to Ref, frame []byte) error
	// Close ends a connection; one that is gone is no error.
	Close(ctx context.Context, to Ref) error
	// Active returns when the client last sent something.
	Active(ctx context.Context, to Ref) (time.Time, error)
}

// Refuser is a Poster that can also end a connection so that its client does not come
// back: with 1008 (RFC 6455, 7.4.1). API Gateway cannot, it closes with 1000 alone.
type Refuser interface {
	// Refuse ends a connection for good; one that is gone is no error.
	Refuse(ctx context.Context, to Ref) error
}

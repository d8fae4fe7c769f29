// Package consolews serves the sockets of operators' consoles. A console opens one with
// a ticket, says which session it looks at, and is told by push what happens; what it
// wants done it asks of the operator API, except for what is said often.
package consolews

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"parley/shared/api"
	"parley/shared/live"
	"parley/shared/parley"
	"parley/shared/socket"
)

// Config is what the function needs; Store and Live are required.
type Config struct {
	Store *parley.Store
	Live  *live.Live
	// Log takes errors; nil means slog.Default.
	Log *slog.Logger
}

// New returns the function's handler.
func New(c Config) socket.Handler {
	if c.Store == nil || c.Live == nil {
		panic("consolews: Store and Live are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	broken := func(socket.Event) socket.Answer {
		return said(answer{Type: "error", Code: "internal"})
	}
	f := &function{Config: c}
	f.typists.Most, f.frames.Most = live.TypingPerSecond, live.CallsPerSecond
	return socket.Recovered(f.handle, broken, c.Log)
}

type function struct {
	Config
	typists, frames live.Pace[socket.Ref]
}

func (f *function) handle(ctx context.Context, e socket.Event) socket.Answer {
	switch e.Kind {
	case socket.Connect:
		return socket.Answer{Status: f.connect(ctx, e)}
	case socket.Disconnect:
		if err := f.Store.Disconnect(ctx, e.Ref, false); err != nil {
			f.Log.ErrorContext(ctx, "disconnect", "api", e.API, "error", err)
		}
		return socket.Answer{}
	}
	return said(f.message(ctx, e))
}

// connect returns the status that lets a console in, or refuses it.
func (f *function) connect(ctx context.Context, e socket.Event) int {
	c, err := f.Store.UseConsoleTicket(ctx, e.Query.Get("ticket"))
	if err == nil {
		c.Ref, c.Connected = e.Ref, e.Connected
		err = f.Store.Connect(ctx, c)
	}
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, parley.ErrDenied):
		return http.StatusUnauthorized
	}
	f.Log.ErrorContext(ctx, "connect", "api", e.API, "error", err)
	return http.StatusServiceUnavailable
}

// frame is what a console says: one of its fields.
type frame struct {
	// Ping asks whether the connection lives. Nothing is read for it.
	Ping bool `json:"ping"`
	// Watch is the session that the console looks at from now on, "" for none.
	Watch *parley.SessionID `json:"watch"`
	// Typing and Seen are said of the session that it looks at, as in the operator API.
	Typing *bool       `json:"typing"`
	Seen   *parley.Seq `json:"seen"`
}

// answer is what a console is told for a frame.
type answer struct {
	Type    string            `json:"type"` // pong, watching, done or error
	Session *parley.SessionID `json:"session,omitempty"`
	Code    string            `json:"code,omitempty"`
}

func said(a answer) socket.Answer {
	b, err := json.Marshal(a)
	if err != nil { // no value of it can fail
		panic(err)
	}
	return socket.Answer{Frame: b}
}

func (f *function) message(ctx context.Context, e socket.Event) answer {
	var in frame
	if err := json.Unmarshal(e.Frame, &in); err != nil {
		return answer{Type: "error", Code: "invalid_json"}
	}
	if in.Ping {
		return answer{Type: "pong"}
	}
	if in.Typing != nil && !f.typists.Take(e.Ref, f.Live.Now()) {
		return answer{Type: "done"}
	}
	if in.Typing == nil && !f.frames.Take(e.Ref, f.Live.Now()) {
		return answer{Type: "error", Code: "rate_limited"}
	}
	c, err := f.Store.ConsoleOf(ctx, e.Ref)
	if errors.Is(err, parley.ErrNotFound) {
		f.dismiss(ctx, e.Ref)
		return answer{Type: "error", Code: "connection_over"}
	}
	done := answer{Type: "done"}
	switch {
	case err != nil:
	case in.Watch != nil:
		done = answer{Type: "watching", Session: in.Watch}
		err = f.Store.Watch(ctx, e.Ref, *in.Watch)
	case in.Typing != nil:
		err = f.typing(ctx, c, *in.Typing)
	case in.Seen != nil && *in.Seen >= 0:
		err = f.seen(ctx, c, *in.Seen)
	default:
		return answer{Type: "error", Code: "invalid_field"}
	}
	if err != nil {
		return f.refusal(ctx, err)
	}
	return done
}

// dismiss ends a connection that stands for nobody any more.
func (f *function) dismiss(ctx context.Context, ref socket.Ref) {
	if err := errors.Join(f.Store.Disconnect(ctx, ref, false), f.Live.Poster.Close(ctx, ref)); err != nil {
		f.Log.WarnContext(ctx, "a connection was not closed", "api", ref.API, "error", err)
	}
}

// typing tells the visitor that the operator types in the session that they look at.
func (f *function) typing(ctx context.Context, c parley.Connection, typing bool) error {
	if !c.Key.May(parley.ScopeReply) {
		return &parley.Error{Kind: parley.ErrDenied, Code: "scope_missing", Text: "the key does not have the scope reply"}
	}
	by, err := f.author(ctx, c)
	if err != nil {
		return err
	}
	session, news, err := f.Store.SetTyping(ctx, c.Caller, c.Session, by, typing)
	if err == nil && news {
		f.Live.Typing(ctx, session, by, typing)
	}
	return err
}

// seen moves the operator's mark and tells the visitor.
func (f *function) seen(ctx context.Context, c parley.Connection, upto parley.Seq) error {
	mark, err := f.Store.MoveMark(ctx, c.Caller, c.Session, parley.MarkSeen, upto)
	if err == nil {
		f.Live.Seen(ctx, c.Caller, c.Session, mark)
	}
	return err
}

// author is who a console writes as.
func (f *function) author(ctx context.Context, c parley.Connection) (parley.Author, error) {
	if c.Caller.Operator == "" {
		p, err := f.Store.Project(ctx, c.Project)
		if err != nil {
			return parley.Author{}, err
		}
		return api.Staff{Project: p}.Author(), nil
	}
	o, err := f.Store.PeekOperator(ctx, c.Project, c.Caller.Operator)
	return o.Author(), err
}

// refusal is what a console is told of an error, which is logged where it is ours.
func (f *function) refusal(ctx context.Context, err error) answer {
	code := parley.Code(err)
	if code == "" {
		f.Log.ErrorContext(ctx, "frame", "api", live.ConsoleAPI, "error", err)
		code = "unavailable"
	}
	return answer{Type: "error", Code: code}
}

// Package live says what happens in sessions to whoever is connected over a
// WebSocket: how each dialect says it (Speaker), to whom it goes, and what becomes of
// a frame that does not arrive.
//
// Clients of one kind append what they are sent and cannot read it again, such as a
// chat hub's. They are told everything once and in order, by one process at a time:
// the one that has the lease of parley.FollowerPush in the session. That is the
// function push for what people and Parley itself say, and for what nobody else has
// said; and the function that generates a reply, for that reply while it grows.
//
// A piece of text is sent at most once, whatever fails and whoever dies; the last
// frame of a message, which has all of it, at least once where somebody is there.
package live

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/shared/parley"
	"parley/shared/socket"
)

// Config is what New needs; Store and Poster are required.
type Config struct {
	Store  *parley.Store
	Poster socket.Poster
	// Speakers are those of the dialects that are spoken over sockets.
	Speakers map[parley.Channel]Speaker
	// Keyed are those of the dialects whose clients know everything by its id; see
	// KeyedSpeaker. Nil is none.
	Keyed map[parley.Channel]KeyedSpeaker
	// Files is the base of files' addresses, without a slash at its end. It is needed by
	// who tells messages, which New does not check.
	Files string
	// Log takes errors that no caller is told of; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock of what is stored; nil means time.Now.
	Now func() time.Time
}

// Live says things to pages. It is safe for concurrent use.
type Live struct {
	Config
}

// New returns a Live.
func New(c Config) (*Live, error) {
	if c.Store == nil || c.Poster == nil {
		return nil, errors.New("live: Store and Poster are required")
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Live{c}, nil
}

// pauses are those before a frame is sent again that was refused because there were
// too many at once. Our choice: together shorter than two flushes of a reply.
var pauses = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}

// send sends a frame to a connection, and the same one again while it is told that
// there are too many.
func (l *Live) send(ctx context.Context, to socket.Ref, frame []byte) error {
	err := l.Poster.Post(ctx, to, frame)
	for _, pause := range pauses {
		if !errors.Is(err, socket.ErrBusy) {
			break
		}
		if sleep(ctx, pause) != nil {
			return err
		}
		err = l.Poster.Post(ctx, to, frame)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// unknownError is of a frame of which nobody knows whether it arrived.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return "a frame may have arrived: " + e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// maxMoves is how many connections of a session one frame is tried on: each of the
// earlier ones was gone.
const maxMoves = 3

// post sends a frame to a session's current connection, and where that is gone, to
// the one that has come since. ErrUnattended of package parley if nobody is there; an
// unknownError if the frame may have arrived; after any other error it has not.
func (l *Live) post(ctx context.Context, p parley.ProjectID, id parley.SessionID, frame []byte) (socket.Ref, error) {
	look := l.Store.LineOf
	for range maxMoves {
		to, err := l.current(ctx, p, id, look)
		if err != nil {
			return socket.Ref{}, err
		}
		err = l.send(ctx, to, frame)
		switch {
		case err == nil:
			return to, nil
		case errors.Is(err, socket.ErrGone):
			if err := l.gone(ctx, to); err != nil {
				return socket.Ref{}, err
			}
			look = l.Store.LineNow
		case errors.Is(err, socket.ErrBusy), errors.Is(err, socket.ErrTooLarge):
			return socket.Ref{}, err
		default:
			return to, &unknownError{err}
		}
	}
	return socket.Ref{}, parley.ErrUnattended
}

// gone takes away what there is of a connection to which a frame could not be sent.
// If it is there all the same, its client is cut off first, so that it comes back:
// a process may die in between, and nobody would tell a client anything that is
// connected and is taken to have left.
func (l *Live) gone(ctx context.Context, to socket.Ref) error {
	if err := l.Poster.Close(ctx, to); err != nil {
		l.Log.WarnContext(ctx, "a connection was not closed", "api", to.API, "error", err)
	}
	return l.Store.Disconnect(ctx, to, false)
}

// current returns a session's current connection; ErrUnattended if nobody is there,
// which a replica that lags does not decide.
func (l *Live) current(ctx context.Context, p parley.ProjectID, id parley.SessionID,
	look func(context.Context, parley.ProjectID, parley.SessionID) (parley.Line, error)) (socket.Ref, error) {
	line, err := look(ctx, p, id)
	if err != nil {
		return socket.Ref{}, err
	}
	to, there := line.Current()
	if !there {
		if line, err = l.Store.LineNow(ctx, p, id); err != nil {
			return socket.Ref{}, err
		}
		if to, there = line.Current(); !there {
			return socket.Ref{}, parley.ErrUnattended
		}
	}
	return to, nil
}

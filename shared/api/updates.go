package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"parley/shared/parley"
	"parley/shared/sse"
)

// Updates streams what happens in a session, its new entries and its changed
// state, to a reader.
type Updates struct {
	*API
	// Hold is how long a request may wait for news. Zero answers at once with what
	// there is, which is right for Lambda, where waiting costs money.
	Hold time.Duration
	// Poll is how often a waiting request looks for news; zero means 500 ms.
	Poll time.Duration
	// Heartbeat is how long a stream may be silent; zero means 10 s.
	Heartbeat time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Entry and State return the JSON forms of an entry and of a session.
	Entry func(r *http.Request, p parley.ProjectID, e parley.Entry) any
	State func(*parley.Session) any
	// Typing tells who of the team types where the client asks for it (typing=1).
	Typing bool
}

// typing is the data of the event that says who of the team types.
type typing struct {
	// Author is who types; null where nobody does.
	Author *parley.Author `json:"author"`
	// EndsIn is after how long they have stopped unless it is said again, in
	// milliseconds: a time would ask for a clock that goes right.
	EndsIn int64 `json:"endsIn"`
}

// NewUpdates returns u with defaults in place of zeros.
func NewUpdates(u Updates) *Updates {
	u.Poll, u.Heartbeat = cmp.Or(u.Poll, 500*time.Millisecond), cmp.Or(u.Heartbeat, 10*time.Second)
	if u.Now == nil {
		u.Now = time.Now
	}
	return &u
}

// Serve answers with what the client does not yet have of a session that the
// caller may read.
func (u *Updates) Serve(w http.ResponseWriter, r *http.Request, caller parley.Caller, id parley.SessionID) error {
	after, err := updatesCursor(r)
	if err != nil {
		return err
	}
	s := &updateStream{Updates: u, r: r, caller: caller, typing: u.Typing && r.URL.Query().Get("typing") == "1"}
	since := u.Store.Since
	if s.typing {
		since = u.Store.SinceWithTyping
	}
	known, err := since(r.Context(), caller, id, after)
	if err != nil {
		return err
	}
	s.out = sse.Start(w)
	err = s.write(known, after)
	if err == nil && u.Hold > 0 {
		err = Hold{For: u.Hold, Poll: u.Poll, Heartbeat: u.Heartbeat, Now: u.Now, Look: s.look, Seat: u.Store.SeatingOf(caller)}.Wait(r.Context(), s.out)
	}
	if err == nil {
		err = s.out.Retry(s.retryAfter())
	}
	if err == nil && !s.hadEntries {
		Routine(r)
	}
	u.Cut(r, caller.Project, err)
	return nil
}

// updatesCursor is the number of the last entry that the client has. The header
// wins over the query.
func updatesCursor(r *http.Request) (parley.Seq, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		n, err := Number(r, "after")
		return parley.Seq(n), err
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, InvalidField("lastEventId", "the last event id is not a number")
	}
	return parley.Seq(n), nil
}

// updateStream is the answer to one client that follows a session.
type updateStream struct {
	*Updates
	r          *http.Request
	caller     parley.Caller
	out        *sse.Writer
	session    *parley.Session
	upto       parley.Seq // the client has everything up to here
	state      string     // as the client has it
	wrote      bool       // something, since the last Look
	hadEntries bool       // entries were written
	typing     bool       // the client wants to know who types
	told       string     // who types and when they last did, as the client has it
}

// write writes what is new, in as many pages as it takes.
func (s *updateStream) write(c parley.Changes, after parley.Seq) error {
	for {
		for _, e := range c.Entries {
			s.hadEntries = true
			if err := s.event("entry", e.Seq, s.Entry(s.r, s.caller.Project, e)); err != nil {
				return err
			}
		}
		s.session, s.upto = c.Session, c.Upto
		if c.Upto >= c.Session.Seq || c.Upto == after {
			break
		}
		after = c.Upto
		more, err := s.Store.Peek(s.r.Context(), s.caller, c.Session.ID, after)
		if err != nil {
			return err
		}
		more.Typing = c.Typing
		c = more
	}
	state := s.State(s.session)
	if text := Encode(state); text != s.state {
		s.state = text
		if err := s.event("state", s.upto, state); err != nil {
			return err
		}
	}
	return s.tellTyping(c.Typing)
}

// tellTyping writes who types, nobody too: first of all, so that whoever asked knows,
// and then where it has changed.
func (s *updateStream) tellTyping(t *parley.Typing) error {
	told := "nobody"
	if t != nil {
		told = Encode(t)
	}
	if !s.typing || told == s.told {
		return nil
	}
	s.told = told
	out := typing{}
	if t != nil {
		out = typing{&t.By, t.Until().Sub(s.Now()).Milliseconds()}
	}
	return s.event("typing", s.upto, out)
}

// event writes an event. Its id says that the client has all entries up to seq.
func (s *updateStream) event(name string, seq parley.Seq, data any) error {
	s.wrote = true
	return s.out.Event(sse.Event{ID: strconv.FormatInt(int64(seq), 10), Name: name, Data: Encode(data)})
}

// look is Hold.Look.
func (s *updateStream) look(ctx context.Context) (wrote, enough bool, err error) {
	peek := s.Store.Peek
	if s.typing && s.session.Holder != parley.HolderAI {
		peek = s.Store.PeekWithTyping
	}
	news, err := peek(ctx, s.caller, s.session.ID, s.upto)
	if err == nil {
		s.wrote = false
		err = s.write(news, s.upto)
	}
	return err == nil && s.wrote, false, err
}

// How soon a client should ask again, by how lively the session is, since each
// request costs money. Our choices; docs/cost.md says what they come to.
const (
	RetryLively = 1500 * time.Millisecond
	RetryCalm   = 5 * time.Second
	RetryIdle   = 20 * time.Second
)

// Retry is how soon a client should ask again about a session in which nothing
// has happened for the time quiet.
func Retry(quiet time.Duration) time.Duration {
	switch {
	case quiet < 2*time.Minute:
		return RetryLively
	case quiet < 10*time.Minute:
		return RetryCalm
	}
	return RetryIdle
}

func (s *updateStream) retryAfter() time.Duration {
	if s.session.Holder == parley.HolderHuman || s.upto < s.session.Seq {
		return RetryLively
	}
	return Retry(s.Now().Sub(time.UnixMilli(s.session.At)))
}

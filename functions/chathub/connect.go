package chathub

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"crypto/rand"

	"parley/shared/parley"
	"parley/shared/socket"
)

const (
	// MaxMetadataBytes is the longest metadata of a connection, in bytes of JSON. Our
	// choice: it stands in an address, of which API Gateway takes 4,096 characters.
	MaxMetadataBytes = 2 << 10
	// ResumeWithin is for how long a client that did not say goodbye may come back to
	// the session that it cannot name. Our choice: SignalR's client tries again for 42 s.
	ResumeWithin = 120 * time.Second
	// SilentFor is how long a client may have sent nothing for which no end of its
	// connection is known, and still be there. Our choice: it pings every 15 s.
	SilentFor = 20 * time.Second
)

// connect answers whether a connection may be made. What the request says is kept
// with it: frames carry nothing of it.
func (h *Hub) connect(ctx context.Context, e socket.Event) socket.Answer {
	r := request{e.Query, e.Header, e.Address}
	by, err := h.admit(ctx, r)
	var c parley.Connection
	if err == nil {
		c, err = h.connection(ctx, e, by)
	}
	if err == nil {
		err = h.API.Store.Connect(ctx, c)
	}
	status := statusOf(err)
	h.API.LogConnect(ctx, by.project, status, err)
	return socket.Answer{Status: status}
}

// statusOf is how an upgrade is refused. No client is shown it.
func statusOf(err error) int {
	code, _, hidden := failure(err)
	switch {
	case err == nil:
		return http.StatusOK
	case hidden:
		return http.StatusServiceUnavailable
	case code == codeInvalid:
		return http.StatusBadRequest
	case strings.HasPrefix(code, "identity_") || code == "token_missing":
		return http.StatusUnauthorized
	case errors.Is(err, parley.ErrLimit):
		return http.StatusTooManyRequests
	}
	return http.StatusForbidden
}

// connection is what is kept of a request to connect. What of it cannot be used is no
// reason to refuse it, but is told once the client can be told anything.
func (h *Hub) connection(ctx context.Context, e socket.Event, by admitted) (parley.Connection, error) {
	c := parley.Connection{Ref: e.Ref, Project: by.project.ID, Channel: parley.ChannelChatHub, Caller: by.caller,
		Agent: by.agent, Language: language(e.Query.Get("language")), Connected: e.Connected}
	metadata, ok := metadataOf(e.Query.Get("metadata"))
	if !ok {
		c.Faults = append(c.Faults, codeInvalidMetadata)
	}
	c.Metadata = metadata
	if id := parley.SessionID(e.Query.Get("sessionId")); id != "" {
		c.Begun = true
		c.Session = id
		ok, err := h.goesOn(ctx, c)
		if ok || err != nil {
			return c, err
		}
		c.Faults = append(c.Faults, codeSessionNotFound)
		c.Begun, c.Session = false, freshSession()
		return c, nil
	}
	c.Token = h.API.Store.TokenHash(by.project.ID, by.agent, by.pass.Holder)
	return h.resumed(ctx, c)
}

// goesOn reports whether the connection's session may go on: it is the caller's, of
// this agent, and not over.
func (h *Hub) goesOn(ctx context.Context, c parley.Connection) (bool, error) {
	session, err := h.API.Store.Session(ctx, c.Caller, c.Session)
	if errors.Is(err, parley.ErrNotFound) || errors.Is(err, parley.ErrInvalid) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return session.Channel == parley.ChannelChatHub && session.Agent == c.Agent && !session.Over() && session.State != parley.StateSpam, nil
}

// resumed gives the connection of a client that names no session the newest one of
// its token, where the connection that this had has broken off, and else a new one. A
// connection that lives is another tab's, and is left alone.
func (h *Hub) resumed(ctx context.Context, c parley.Connection) (parley.Connection, error) {
	id, line, err := h.API.Store.Newest(ctx, c.Project, c.Token)
	if err != nil && !errors.Is(err, parley.ErrNotFound) {
		return c, err
	}
	if err == nil && h.brokenOff(ctx, line) {
		c.Session, c.Begun, c.After = id, true, line.Connection
		if ok, err := h.goesOn(ctx, c); ok || err != nil {
			return c, err
		}
	}
	c.Session, c.Begun, c.After = freshSession(), false, socket.Ref{}
	return c, nil
}

// brokenOff reports whether a line's connection has ended just now without its client
// having meant it, be that known or not.
func (h *Hub) brokenOff(ctx context.Context, l parley.Line) bool {
	at, there := l.Current()
	if !there {
		return !l.Meant && !l.Left.IsZero() && h.Now().Sub(l.Left) < ResumeWithin
	}
	active, err := h.Sockets.Active(ctx, at)
	if errors.Is(err, socket.ErrGone) {
		return true
	}
	// Where nobody knows, it is as if it lived: a new session harms less than two
	// tabs that take one from each other.
	return err == nil && h.Now().Sub(active) > SilentFor
}

// freshSession is an id that nobody guesses.
func freshSession() parley.SessionID { return parley.SessionID("s" + rand.Text()) }

// languages is the form of language tags, as far as it matters that nothing else is
// taken for one (RFC 5646, section 2.1).
var languages = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
})

// language returns a language tag, "" for what is none.
func language(tag string) string {
	if len(tag) > parley.MaxLanguageBytes || !languages().MatchString(tag) {
		return ""
	}
	return tag
}

// metadataOf reads the metadata of an address; nil where there is none. It may be
// escaped once more than the address is: what API Gateway does to it is not said. ok
// is false for what is no object, and for one that is too long.
func metadataOf(text string) (metadata map[string]string, ok bool) {
	if text == "" {
		return nil, true
	}
	if !json.Valid([]byte(text)) {
		if again, err := url.QueryUnescape(text); err == nil {
			text = again
		}
	}
	if len(text) > MaxMetadataBytes {
		return nil, false
	}
	return object([]byte(text))
}

// object returns what can be kept of a JSON object; ok is false for anything else.
func object(text []byte) (metadata map[string]string, ok bool) {
	var hints parley.Hints
	if json.Unmarshal(text, &hints) != nil || hints == nil {
		return nil, false
	}
	return hints.Metadata(), true
}

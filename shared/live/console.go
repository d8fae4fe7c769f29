package live

import (
	"context"
	"encoding/json"
	"errors"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/socket"
)

// ConsoleAPI is the name of the socket API that the consoles of operators connect to.
const ConsoleAPI = "console"

// consoleFrame is what a console is told. Type is news, inbox or typing.
type consoleFrame struct {
	Type    string           `json:"type"`
	Session parley.SessionID `json:"session"`
	// Entries are the new ones, of which a console may have some. Stale says that there
	// are more than a frame takes, or some with files, so that it has to ask for them.
	Entries []api.StaffEntry  `json:"entries,omitempty"`
	Stale   bool              `json:"stale,omitempty"`
	State   *api.StaffSession `json:"state,omitempty"`
	// Author types, for so many milliseconds; null has stopped.
	Author *parley.Author `json:"author,omitempty"`
	EndsIn int64          `json:"endsIn,omitempty"`
	// Text is what the visitor is about to send, where their page tells.
	Text string `json:"text,omitempty"`
}

func (f consoleFrame) encode() []byte {
	b, err := json.Marshal(f)
	if err != nil { // no value of it can fail
		panic(err)
	}
	return b
}

// Window is what changed in a session: its entries after a number up to another, and
// whether its state moved, of which there may be no entry.
type Window struct {
	Project parley.ProjectID `json:"project"`
	Session parley.SessionID `json:"session"`
	After   parley.Seq       `json:"after"`
	Upto    parley.Seq       `json:"upto"`
	Moved   bool             `json:"moved,omitempty"`
}

// Consoles tells the consoles of a project what changed in a session: those that look
// at it all of it, and all others its new state where their lists show it, which is
// when somebody waits, or has it, or its state moves. No mark is kept: consoles know
// entries by their numbers, so that twice is once, and what is lost they ask for when
// they connect again, and once a minute anyway. It writes nothing.
func (l *Live) Consoles(ctx context.Context, w Window) error {
	team, err := l.Store.TeamConnections(ctx, w.Project)
	if err != nil || len(team) == 0 {
		return err
	}
	news, err := l.Store.Peek(ctx, parley.Caller{Project: w.Project, Server: true}, w.Session, w.After)
	if errors.Is(err, parley.ErrNotFound) {
		return nil // erased meanwhile
	}
	if err != nil {
		return err
	}
	watchers, err := l.watchers(ctx, w.Project, w.Session)
	if err != nil {
		return err
	}
	state := api.NewStaffSession(news.Session)
	l.tell(ctx, watchers, newsOf(news, w.Upto, &state))
	if w.Moved || listed(news) {
		l.tell(ctx, without(team, watchers), consoleFrame{Type: "inbox", Session: w.Session, State: &state}.encode())
	}
	return nil
}

// newsOf is the frame of what is new, without the entries where they do not fit, or
// are more than were read.
func newsOf(c parley.Changes, upto parley.Seq, state *api.StaffSession) []byte {
	f := consoleFrame{Type: "news", Session: c.Session.ID, State: state, Stale: c.Upto < upto}
	for _, e := range c.Entries {
		for _, p := range e.Parts {
			f.Stale = f.Stale || p.Attachment != nil
		}
		f.Stale = f.Stale || e.Amends != 0
		f.Entries = append(f.Entries, api.NewStaffEntry(api.NewEntry(e, func(parley.FileID, string) string { return "" }), e))
	}
	if b := f.encode(); !f.Stale && len(b) <= socket.MaxFrame {
		return b
	}
	f.Entries, f.Stale = nil, true
	return f.encode()
}

// listed reports whether people are told of news in their lists: not of what the AI
// and a visitor say to one another.
func listed(c parley.Changes) bool {
	if c.Session.Holder != parley.HolderAI {
		return true
	}
	for _, e := range c.Entries {
		switch e.Event {
		case parley.EventHandedBack, parley.EventClosed, parley.EventResolved, parley.EventReopened:
			return true
		}
	}
	return false
}

// Typing tells whoever should know that somebody types in a session, or has stopped:
// of a visitor, the consoles that look at the session and those of whoever has it, and
// where it waits for a person all; of an operator, the visitor's page where it is
// connected, and the others who look. It is told once, as far as it arrives.
func (l *Live) Typing(ctx context.Context, s *parley.Session, by parley.Author, typing bool) {
	l.TypingText(ctx, s, by, typing, "")
}

// TypingText is Typing of a visitor whose page also tells what it is about to send.
func (l *Live) TypingText(ctx context.Context, s *parley.Session, by parley.Author, typing bool, text string) {
	if by.Kind == parley.AuthorHuman {
		l.typingToPage(ctx, s, by, typing)
	}
	to, err := l.watchers(ctx, s.Project, s.ID)
	if err == nil && by.Kind == parley.AuthorUser && s.Holder != parley.HolderAI {
		var team []parley.Connection
		team, err = l.Store.TeamConnections(ctx, s.Project)
		for _, c := range without(team, to) {
			if s.Holder == parley.HolderWaiting || c.Caller.Operator == s.Operator {
				to = append(to, c)
			}
		}
	}
	if err != nil {
		l.Log.WarnContext(ctx, "typing was not told", "error", err)
		return
	}
	f := consoleFrame{Type: "typing", Session: s.ID}
	if typing {
		f.Author, f.EndsIn, f.Text = &by, parley.TypingLife.Milliseconds(), text
	}
	if by.Kind == parley.AuthorHuman {
		to = others(to, parley.OperatorID(by.ID))
	}
	l.tell(ctx, to, f.encode())
}

func (l *Live) typingToPage(ctx context.Context, s *parley.Session, by parley.Author, typing bool) {
	_, err := l.signal(ctx, s, func(k KeyedSpeaker, to parley.VisitorID) [][]byte { return [][]byte{k.Typing(to, s, by, typing)} })
	if err != nil {
		l.Log.WarnContext(ctx, "typing was not told", "error", err)
	}
	speaker := l.Speakers[s.Channel]
	if speaker == nil {
		return
	}
	if frame := speaker.Typing(typing); frame != nil {
		err := l.heard(ctx, s)
		if err == nil {
			_, err = l.post(ctx, s.Project, s.ID, frame)
		}
		if err != nil && !errors.Is(err, parley.ErrUnattended) {
			l.Log.WarnContext(ctx, "typing was not told", "error", err)
		}
	}
}

// Dismiss ends the connections of consoles that may be told nothing more: those of a
// key by its id, or of an operator. When it returns they are in no list, and nothing
// that is said after that goes to them.
func (l *Live) Dismiss(ctx context.Context, p parley.ProjectID, key string, operator parley.OperatorID) error {
	team, err := l.Store.TeamConnections(ctx, p)
	if err != nil {
		return err
	}
	for _, c := range team {
		if key != "" && c.Key.ID == key || operator != "" && c.Caller.Operator == operator {
			if err := l.gone(ctx, c.Ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// watchers are the consoles that look at a session.
func (l *Live) watchers(ctx context.Context, p parley.ProjectID, id parley.SessionID) ([]parley.Connection, error) {
	all, err := l.Store.SessionConnections(ctx, p, id)
	var consoles []parley.Connection
	for _, c := range all {
		if c.API == ConsoleAPI {
			consoles = append(consoles, c)
		}
	}
	return consoles, err
}

func without(all, some []parley.Connection) (rest []parley.Connection) {
	has := map[socket.Ref]bool{}
	for _, c := range some {
		has[c.Ref] = true
	}
	for _, c := range all {
		if !has[c.Ref] {
			rest = append(rest, c)
		}
	}
	return rest
}

func others(all []parley.Connection, operator parley.OperatorID) (rest []parley.Connection) {
	for _, c := range all {
		if operator == "" || c.Caller.Operator != operator {
			rest = append(rest, c)
		}
	}
	return rest
}

// tell sends one frame to several connections.
func (l *Live) tell(ctx context.Context, to []parley.Connection, frame []byte) {
	l.Deliver(ctx, to, func(parley.Connection) [][]byte { return [][]byte{frame} })
}

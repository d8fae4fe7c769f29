package hissuno

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/token"
)

const (
	// MaxBodyBytes is the longest body of a message, which carries the whole
	// transcript each time. Our choice: below Lambda's 6 MB for a request.
	MaxBodyBytes = 4 << 20
	// MaxMessageBytes is the longest message, in bytes of UTF-8: the widget's own limit.
	MaxMessageBytes = 4096
	// leave is how long the responder leaves a run to the widget's event stream,
	// which it opens when the message is accepted.
	leave = time.Second
)

// message is what the widget sends.
type message struct {
	Messages     transcript       `json:"messages"`
	ProjectID    string           `json:"projectId"`
	SessionID    parley.SessionID `json:"sessionId"`
	PageURL      parley.HintText  `json:"pageUrl"`
	PageTitle    parley.HintText  `json:"pageTitle"`
	UserID       parley.HintText  `json:"userId"`
	UserMetadata parley.Hints     `json:"userMetadata"`
	WidgetToken  string           `json:"widgetToken"`
}

// text returns the visitor's new message.
func (m message) text() (string, error) {
	if !m.Messages.asks {
		return "", api.InvalidField("messages", "messages is required")
	}
	var text string
	if json.Unmarshal(m.Messages.last, &text) != nil {
		return "", api.InvalidField("messages", "content has to be a string")
	}
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		return "", api.InvalidField("messages", "Message is empty")
	case len(trimmed) > MaxMessageBytes:
		return "", &parley.Error{Kind: parley.ErrInvalid, Code: "too_large", Field: "messages",
			Text: fmt.Sprintf("Message too long. Maximum %d bytes allowed.", MaxMessageBytes)}
	default:
		return trimmed, nil
	}
}

// metadata is what the widget says of its user, or the token, if there is one.
func (m message) metadata(u *token.User) map[string]string {
	said, id := m.UserMetadata, string(m.UserID)
	if u != nil {
		said, id = u.Metadata, u.ID
	}
	if id != "" {
		said = append(parley.Hints{{Name: "userId", Text: id}}, said...)
	}
	return said.Metadata()
}

type accepted struct {
	Message   string           `json:"message"`
	Status    string           `json:"status"`
	SessionID parley.SessionID `json:"sessionId"`
	RunID     parley.EntryID   `json:"runId,omitempty"`
	ChatRunID parley.EntryID   `json:"chatRunId,omitempty"`
}

func (f function) send(w http.ResponseWriter, r *http.Request) error {
	var in message
	if err := api.DecodeLong(r, MaxBodyBytes, &in); err != nil {
		return err
	}
	if in.SessionID == "" {
		in.SessionID = parley.SessionID(parley.NewUUID()) // of a client that has none
	}
	p, err := f.pageFor(r, in.ProjectID, in.SessionID)
	if err != nil {
		return err
	}
	user, err := p.user(r, in.WidgetToken)
	if err != nil {
		return err
	}
	text, err := in.text()
	if err != nil {
		return err
	}
	id := parley.EntryID(rand.Text())
	api.About(r, in.SessionID, parley.RunID(id))
	alone := in.Messages.many == 1
	sent, _, err := f.Engine.Send(r.Context(), p.caller, parley.SendRequest{ID: id, Session: in.SessionID,
		Channel: parley.ChannelHissuno, Content: text, Greeting: in.Messages.greeting, IfBusy: parley.BusyQueue, Leave: leave, Acknowledge: alone,
		Page:     parley.Page{URL: in.PageURL.Kept(parley.MaxPageBytes), Title: in.PageTitle.Kept(parley.MaxPageBytes)},
		Metadata: in.metadata(user)})
	if err != nil {
		return err
	}
	if sent.Pending {
		f.Engine.Ask(r.Context(), sent.Ref)
	}
	if busy := waitsFor(sent); busy != "" {
		return &parley.Error{Kind: parley.ErrConflict, Code: "busy", Text: "the message is stored, and answered in its turn",
			Session: in.SessionID, Run: busy}
	}
	if sent.Ref.Run == "" && !alone && !p.hasLetters(r.Context()) {
		return api.JSON(w, http.StatusOK, accepted{Message: "A human has this conversation", Status: "human_takeover", SessionID: in.SessionID})
	}
	return api.JSON(w, http.StatusCreated, accepted{"Message accepted", "processing", in.SessionID, id, id})
}

// waitsFor returns the run that is ahead of the message's in the queue; "" if none is.
// The widget follows that one, if it is refused.
func waitsFor(sent parley.Sent) parley.RunID {
	if active := sent.Session.Run; sent.Ref.Run != "" && active != nil && active.ID != sent.Ref.Run {
		return active.ID
	}
	return ""
}

// hasLetters reports whether a message that no run answers is answered with what the
// page has missed.
func (p *page) hasLetters(ctx context.Context) bool {
	err := p.peek(ctx)
	if err == nil {
		var missed []parley.Entry
		if missed, err = p.letters(ctx); len(missed) > 0 {
			return true
		}
	}
	if err != nil { // they are still there with the next message
		p.API.Log.LogAttrs(ctx, slog.LevelWarn, "letters not read", slog.String("project", string(p.project.ID)), slog.String("error", err.Error()))
	}
	return false
}

// cut shortens text to at most n bytes at a code point.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
